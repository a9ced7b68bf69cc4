"""kill -9 of a worker under load: its open connections are the only loss, and nothing that was counted is forgotten."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, connections, wait_until
from tests.faults.router import Watch, running_router

pytestmark = pytest.mark.slow

ROUNDS = 2
FRESH = 8


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_killed_under_load(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, workers: int
) -> None:
    bound = 0
    with (
        running_router(tmp_path, stable, canary, workers=workers) as router,
        running_load(router.port, fresh=FRESH) as load,
        Watch(router) as watch,
    ):
        load.more(300)
        for _ in range(ROUNDS):
            victim = router.workers()[-1]
            os.kill(victim, signal.SIGSTOP)  # so that what it holds can be counted
            bound += connections(victim, router.port) + FRESH
            os.kill(victim, signal.SIGKILL)
            load.more(300)
            wait_until(
                lambda gone=victim: len(now := router.workers()) == workers and gone not in now,  # type: ignore[misc]
                "another worker serves",
            )
        load.more(300)
        share = router.status()["observed_share"]
    slowest = max(event.seconds for event in load.events if not event.kind)
    note = f"at most {bound} connections were open; slowest answer {slowest * 1000:.0f} ms; share {share:.3f}"
    row = figures.add(f"kill -9 of a worker of {workers}, {ROUNDS} rounds", load.events, note)
    assert (row.idempotent + row.other).total() <= bound, row
    assert set(row.idempotent + row.other) <= {"reset", "closed", "truncated"}, row
    assert watch.readings > 0
    assert not watch.went_back
    arms = {event.client: event.arm for event in load.events if not event.kind}
    assert all(event.arm == arms[event.client] for event in load.events if not event.kind), "a user changed sides"

"""kill -9 of an arm under load: what its users see, and that it is used again once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import is_idempotent, running_load
from tests.faults.processes import Upstream, running_upstream, wait_until
from tests.faults.router import Router, running_router

ROUNDS = 3
#: Slow enough that a kill finds requests in flight.
TARGET = "/slow?ms=20"
pytestmark = pytest.mark.slow


def _is_up(router: Router, arm: str) -> bool:
    up: bool = router.status()["arms"][arm]["endpoints"][0]["up"]
    return up


@pytest.mark.parametrize("workers", [1, 2])
def test_canary_killed_under_load_fails_no_idempotent_request(
    tmp_path: Path, stable: Upstream, figures: Figures, workers: int
) -> None:
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, workers=workers) as router,
        running_load(router.port, target=TARGET) as load,
    ):
        load.more(300)
        for _ in range(ROUNDS):
            canary.kill()
            load.more(300)
            canary.start()
            load.more(300)
        since = len(load.events)
        wait_until(lambda: any(event.arm == "canary" for event in load.events[since:]), "the canary is used again")
    row = figures.add(f"kill -9 of canary, {ROUNDS} rounds, {workers} workers", load.events)
    assert row.idempotent.total() == 0, row
    assert set(row.other) <= {"502"}, row


def test_what_is_known_to_be_down_outlives_a_takeover_and_a_reload(
    tmp_path: Path, stable: Upstream, figures: Figures
) -> None:
    """Nobody is sent to a dead canary again, just because another supervisor or other workers took over."""
    settings = "[timeouts]\ndrain = 5\n"
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, settings, percent=100) as router,
        running_load(router.port) as load,
    ):
        load.more(100)
        canary.kill()
        wait_until(lambda: not _is_up(router, "canary"), "the canary is known to be down")
        load.more(50)  # whoever was sent to it just before
        before = _attempts(router)
        for change in (_take_over, Router.reload):
            change(router)
            load.more(150)
        tried = _attempts(router) - before
        fell_back = router.status()["fallbacks"]
        failed = load.failures()
    note = f"{tried:g} tried the canary, {fell_back} fell back before it was known to be down"
    figures.add("take-over and SIGHUP with a dead canary at 100 %", load.events, note)
    assert {event.kind for event in failed} <= {"502"}, "those who were in flight when it died"
    assert tried == 0


def _take_over(router: Router) -> None:
    router.kill_supervisor()
    router.start()


def _attempts(router: Router) -> float:
    errors: dict[str, float] = router.status()["arms"]["canary"]["errors"]
    return sum(errors.values())


def test_canary_killed_with_fresh_connections_only(tmp_path: Path, stable: Upstream, figures: Figures) -> None:
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, percent=100) as router,
        running_load(router.port, kept=0, fresh=32, target=TARGET) as load,
    ):
        load.more(300)
        for _ in range(ROUNDS):
            canary.kill()
            load.more(300)
            canary.start()
            load.more(300)
    row = figures.add("kill -9 of canary at 100 %, fresh connections", load.events)
    assert row.idempotent.total() == 0, row
    assert set(row.other) <= {"502"}, row


def test_stable_killed_and_back(tmp_path: Path, canary: Upstream, figures: Figures) -> None:
    """Nothing stands in for stable: its users get a 502 at once, never a hang; the canary's users notice nothing."""
    with (
        running_upstream("stable") as stable,
        running_router(tmp_path, stable, canary) as router,
        running_load(router.port, target=TARGET) as load,
    ):
        load.more(300)
        stable.kill()
        killed = len(load.events)
        load.more(300)
        stable.start()
        wait_until(lambda: _is_up(router, "stable"), "stable is up again")
        back = len(load.events)
        load.more(300)
    slowest = max(event.seconds for event in load.failures(killed))
    row = figures.add("kill -9 of stable, started again", load.events, f"slowest 502 after {slowest * 1000:.0f} ms")
    assert set(row.idempotent + row.other) <= {"502"}, row
    assert row.idempotent.total() > 0
    clients = {event.client: event.arm for event in load.events[:killed] if not event.kind}
    hit = {clients[event.client] for event in load.failures()}
    assert hit == {"stable"}, "users of the canary were hit as well"
    in_flight = 2 * len(clients)
    assert not load.failures(back + in_flight), "still failing although stable is back"
    assert any(is_idempotent(event.method) for event in load.events)

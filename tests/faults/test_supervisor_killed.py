"""kill -9 of the supervisor under load: the workers go on, and the next supervisor takes over without a gap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, is_alive, wait_until
from tests.faults.router import Watch, running_router

pytestmark = pytest.mark.slow

ROUNDS = 2
KILLS = 4


@pytest.mark.parametrize(("workers", "then"), [(1, 2), (2, 1)])
def test_supervisor_killed_under_load(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, workers: int, then: int
) -> None:
    """No request fails, whatever number of workers the next one has; totals go on to the last request."""
    with running_router(tmp_path, stable, canary, "[timeouts]\ndrain = 5\n", workers=workers, percent=25) as router:
        with running_load(router.port) as load, Watch(router) as watch:
            load.more(200)
            for _ in range(ROUNDS):
                old = router.workers()
                router.kill_supervisor()
                load.more(200)
                assert all(map(is_alive, old)), "a worker ended with its supervisor"
                router.configure("[timeouts]\ndrain = 5\n", workers=then)
                router.start()
                wait_until(lambda gone=old: not any(map(is_alive, gone)), "the old workers left")  # type: ignore[misc]
                assert router.weight() == 25
                assert len(router.workers()) == then
                load.more(200)
        counted = router.requests()
    name = f"kill -9 of supervisor, {workers} to {then} workers, {ROUNDS} rounds"
    row = figures.add(name, load.events, f"{counted:,} requests counted")
    assert not load.failures(), row
    assert not watch.went_back
    assert counted == len(load.events)


def test_supervisor_killed_again_while_it_takes_over(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures
) -> None:
    """A supervisor that dies at any moment of its start leaves a state that the next one can take over."""
    with (
        running_router(tmp_path, stable, canary, "[timeouts]\ndrain = 5\n", workers=2) as router,
        running_load(router.port, think=0.06) as load,
    ):
        load.more(100)
        router.kill_supervisor()
        for number in range(KILLS):
            router.process = router.launch()
            load.more(130 * (number + 1))  # later each time: before, while and after it starts its workers
            router.kill_supervisor()
        router.start()
        load.more(300)
        wait_until(lambda: not router.workers("retiring"), "the old workers left")
        serving = router.workers()
        load.more(300)
    row = figures.add(f"kill -9 of supervisor while it takes over, {KILLS} times", load.events)
    assert not load.failures(), row
    assert len(serving) == 2

"""Bad canaries behind a running plan at 200 requests a second and 10 %: each is found, and none that is healthy."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest

from tests.faults.figures import Figures
from tests.faults.processes import Upstream, running_upstream
from tests.faults.rollouts import explanation, rollout, start, two_hundred_a_second, wait_for_rollback
from tests.faults.router import running_router

pytestmark = pytest.mark.slow

RUNS = 5
#: Requests before a fault: about 40 of the canary's, and enough of stable's to know its latency.
HEALTHY = 400
#: Requests of the canary until weight 0, when half of them fail; issue's figure.
MOST = 20
#: Seconds from a decision to the workers' having it.
LAG = 0.05
#: A longer run of a canary that is as good as stable: half a minute.
LONG = 6000


def test_half_of_the_requests_fail(tmp_path: Path, stable: Upstream, figures: Figures) -> None:
    """The median of several rollouts, each with new users on the canary."""
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, workers=2, percent=0) as router,
        two_hundred_a_second(router) as load,
    ):
        counts, seconds, lags = [], [], []
        for _ in range(RUNS):
            canary.misbehave("none")
            start(router)
            load.more(HEALTHY)
            canary.misbehave("error", 2)
            found = wait_for_rollback(router, time.monotonic())
            assert found.gate == "errors", found
            counts.append(canary.count())
            seconds.append(found.seconds)
            lags.append(found.lag)
            after = canary.count()
            load.more(100)
            assert canary.count() == after, "the canary got requests at weight 0"
    note = f"weight 0 after {counts} canary requests, median {median(counts):g}, {median(seconds):.1f} s"
    figures.note(f"Rollout, 50 % errors, {RUNS} times", len(load.events), f"{note}; lag {max(lags) * 1e3:.0f} ms")
    assert median(counts) <= MOST
    assert median(lags) <= LAG


@pytest.mark.parametrize(
    ("fault", "gate", "target", "within"),
    [("hang", "latency", "/api/items/1", 15), ("stretch", "latency", "/slow?ms=20", 30)],
    ids=["hangs", "p95 tripled"],
)
def test_a_canary_gets_slow(
    tmp_path: Path, stable: Upstream, figures: Figures, fault: str, gate: str, target: str, within: float
) -> None:
    """A hung one is found while its requests wait: no timeout (60 s) has to end first."""
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, workers=2, percent=0) as router,
        two_hundred_a_second(router, target) as load,
    ):
        start(router)
        load.more(HEALTHY)
        canary.misbehave(fault)
        found = wait_for_rollback(router, time.monotonic())
        count = canary.count()
        if fault == "hang":
            canary.kill()  # what waits is answered by stable
    note = f"weight 0 after {count} canary requests, {found.seconds:.1f} s"
    figures.add(f"Rollout, canary: {fault}", load.events, f"{note}; lag {found.lag * 1e3:.0f} ms")
    assert found.gate == gate, found
    assert found.seconds <= within
    assert not load.failures()


def test_a_canary_refuses_connections(tmp_path: Path, stable: Upstream, figures: Figures) -> None:
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, workers=2, percent=0) as router,
        two_hundred_a_second(router) as load,
    ):
        start(router)
        load.more(HEALTHY)
        canary.kill()
        found = wait_for_rollback(router, time.monotonic())
        fallbacks = router.status()["fallbacks"]
    note = f"weight 0 after {found.seconds:.1f} s, by {found.gate}; {fallbacks} requests fell back"
    figures.add("Rollout, canary killed", load.events, f"{note}; lag {found.lag * 1e3:.0f} ms")
    assert found.seconds <= 5
    assert not load.failures()


def test_a_healthy_canary_stays(tmp_path: Path, figures: Figures) -> None:
    """Both arms fail one request in 200."""
    with (
        running_upstream("stable", "error", 200) as stable,
        running_upstream("canary", "error", 200) as canary,
        running_router(tmp_path, stable, canary, workers=2, percent=0) as router,
        two_hundred_a_second(router) as load,
    ):
        start(router)
        load.more(LONG)
        tree = rollout(router)
        assert explanation(router)["action"] == "start"
    figures.add("Rollout, 0.5 % errors on both sides", load.events, f"stays; {tree['samples']} canary requests")
    assert tree["phase"] == "running"
    assert tree["samples"] > LONG / 20

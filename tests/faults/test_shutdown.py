"""SIGTERM under load: what is in flight is answered, the exit code is 0, and no process is left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import HANG, Upstream, is_alive, wait_until
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow

DRAIN = 4
MOMENTS = 3
SETTINGS = f"[timeouts]\ndrain = {DRAIN}\n"
#: Longer than the time a request needs to be in flight when the signal comes, shorter than the drain.
TARGET = "/slow?ms=300"


def _end_by(router: Router, group: bool) -> tuple[int, float]:
    began = time.monotonic()
    if group:  # as a terminal's ^C and some init systems do
        os.killpg(router.process.pid, signal.SIGTERM)
    else:
        router.process.send_signal(signal.SIGTERM)
    code = router.process.wait(HANG)
    return code, time.monotonic() - began


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("group", [False, True], ids=["supervisor", "whole-group"])
def test_sigterm_under_load(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, workers: int, group: bool
) -> None:
    """Requests that were sent before the signal are answered; those sent after it may be refused, nothing else."""
    with running_router(tmp_path, stable, canary, SETTINGS, workers=workers) as router:
        pids = router.workers()
        with running_load(router.port, kept=24, fresh=8, target=TARGET) as load:
            load.more(100)
            sent = time.monotonic()
            code, seconds = _end_by(router, group)
        left = [pid for pid in pids if is_alive(pid)]
    in_flight = [event for event in load.events if event.sent < sent < event.done]
    lost = [event for event in in_flight if event.kind]
    # Those whose connection attempts or requests crossed the end, once the listeners are closed.
    kinds = {event.kind for event in load.failures()}
    name = f"SIGTERM to {'group' if group else 'supervisor'}, {workers} workers"
    note = f"exit code {code} after {seconds:.1f} s; {len(in_flight)} in flight, {len(lost)} of them lost"
    before = [event for event in load.events if event.sent < sent]
    figures.add(name, before, note)
    assert code == 0
    assert not left
    assert seconds < DRAIN + 2 + HANG / 2
    assert len(in_flight) > 5
    assert not lost
    assert kinds <= {"refused", "reset", "closed"}, kinds


def test_sigterm_while_reloading(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    """Whatever a reload is at, the end is clean."""
    outcomes = []
    for step in range(MOMENTS):
        folder = tmp_path / str(step)
        folder.mkdir()
        with running_router(folder, stable, canary, SETTINGS, workers=2) as router:
            pids = router.workers()
            with running_load(router.port, think=0.05) as load:
                load.more(50)
                router.process.send_signal(signal.SIGHUP)
                load.more(1 + 200 * step)  # from the very beginning of the reload to about its end
                pids += [pid for pid in _workers(router) if pid not in pids]
                code, _ = _end_by(router, False)
            left = [pid for pid in pids if is_alive(pid)]
            outcomes.append((code, left, "Traceback" in router.text()))
    figures.note("SIGTERM while reloading, several moments", 0, f"exit codes {[code for code, _, _ in outcomes]}")
    assert outcomes == [(0, [], False)] * MOMENTS


def _workers(router: Router) -> list[int]:
    return [worker["pid"] for worker in router.status()["workers"]]


def test_a_request_longer_than_the_drain_is_cut(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures
) -> None:
    """The drain time is a promise to whoever stops us, too."""
    with (
        running_router(tmp_path, stable, canary, "[timeouts]\ndrain = 1\n") as router,
        running_load(router.port, kept=8, fresh=0, methods=["GET"], target="/slow?ms=15000") as load,
    ):
        wait_until(lambda: router.status()["arms"]["stable"]["active"] > 0, "requests are in flight")
        code, seconds = _end_by(router, False)
    row = figures.add("SIGTERM with requests longer than the drain", load.events, f"exit code {code}, {seconds:.1f} s")
    assert code == 0
    assert set(row.idempotent) <= {"closed", "reset", "refused"}, row

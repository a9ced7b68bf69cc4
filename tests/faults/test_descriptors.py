"""A worker that runs out of file descriptors: it serves whom it has, and everybody again when there are some."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, cpu_seconds, open_files, wait_until
from tests.faults.router import running_router

pytestmark = pytest.mark.slow

#: Descriptors left to the worker, for both sides of every exchange.
SPARE = 24
LOG_MAX = 1 << 20


def test_descriptors_run_out_and_come_back(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures
) -> None:
    with running_router(tmp_path, stable, canary) as router:
        (worker,) = router.workers()
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        at_first = open_files(worker)
        limit = at_first + SPARE
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (limit, hard))
        used = cpu_seconds(worker)
        with running_load(router.port, kept=16, fresh=48, target="/slow?ms=20") as load:
            wait_until(lambda: open_files(worker) >= limit - 1, "the worker's descriptors are used up")
            load.more(400)
        used = cpu_seconds(worker) - used
        with running_load(router.port, kept=4, fresh=0) as few:
            wait_until(lambda: any(not event.kind for event in few.events), "a request succeeds again")
            wait_until(lambda: few.succeeding(50), "only successes once there are enough descriptors")
        serving = router.workers()
        text = router.text()
    note = (
        f"{limit} descriptors; {used:.1f} s of CPU; {len(text)} bytes of log; {len(few.failures())} failed afterwards"
    )
    row = figures.add("worker out of descriptors, 64 clients", load.events, note)
    assert serving == [worker], "the worker didn't survive"
    assert "Traceback" not in text, text[-2000:]
    assert len(text) < LOG_MAX, row
    assert set(row.idempotent + row.other) <= {"502", "503", "reset", "closed", "refused", "timeout"}, row

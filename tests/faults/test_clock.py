"""The machine's clock is set while the router serves: nothing is measured with it."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, wait_until
from tests.faults.router import Router, running_router

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(LIBRARY is None, reason="needs faketime (Debian package)"),
]

#: Would end every exchange if they were measured with a clock that leaps.
SETTINGS = "[timeouts]\nfirst_byte = 5\nkeep_alive = 5\nhead = 5\n"


class Clock:
    """What every process of the router takes for the time of day; its monotonic clock stays true."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(0)

    def set(self, hours: int) -> None:
        """Hours that it is ahead of ours."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{hours:+d}h\n")
        os.replace(fresh, self.path)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def _hours_ahead(router: Router) -> int:
    """By the audit trail's clock."""
    _, text = router.ask("GET", "/api/v1/audit?limit=1")
    (row,) = json.loads(text)["rows"]
    return round((datetime.fromisoformat(row["time"]).timestamp() - time.time()) / 3600)


def test_clock_jumps_under_load(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    clock = Clock(tmp_path / "clock")
    with running_router(tmp_path, stable, canary, SETTINGS, environ=clock.environ) as router:
        with running_load(router.port) as load:
            load.more(100)
            seen: list[int] = []
            uptimes: list[float] = []
            for hours in (5, -5, 48, 0):
                clock.set(hours)
                router.set_weight(50 + len(seen) / 100)
                seen.append(_hours_ahead(router))
                uptimes += [worker["uptime"] for worker in router.status()["workers"]]
                load.more(300)
            (before,) = router.workers()
        clock.set(-5)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: router.workers() not in ([], [before]), "another worker serves")
    row = figures.add("the clock leaps by +5, -10, +53 and -48 h", load.events)
    assert seen == [5, -5, 48, 0]
    assert not load.failures(), row
    assert all(0 < uptime < 600 for uptime in uptimes), uptimes

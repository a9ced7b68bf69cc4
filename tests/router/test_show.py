"""What the operator commands print."""

from __future__ import annotations

from typing import Any

from router import show
from router.control import Control
from router.counters import Counters
from router.status import WorkerInfo
from router.table import CANARY, Table
from tests.router.fakes import CANARY_URL, FakeClock


async def test_status_fits_what_the_api_answers(control: Control, table: Table, clock: FakeClock) -> None:
    control.workers = lambda: [WorkerInfo(2**22 + 1, 1, 0, "serving", clock.monotonic() - 61)]
    await control.set_weight(12.5, "a", "r")
    counters = Counters(table.block(0))
    counters.observe(CANARY, 2, b"GET", 500, "/", 20_000)
    counters.error(CANARY, "reset")
    table.set_up(CANARY, [False])
    clock.advance(2)
    await control.tick()
    text = show.status(control.status().model_dump())
    assert "weight 12.5 %, observed 100.00%" in text
    assert f"canary   DOWN {CANARY_URL}" in text
    assert "canary   errors: reset 1" in text
    assert "worker-1 pid 4194305 serving, gone, up 0:01:01" in text
    row = next(line for line in text.splitlines() if line.startswith("canary  "))
    assert row.split() == ["canary", "0.5", "20", "ms", "20", "ms", "20", "ms", "0", "1", "0", "1", "1", "0"]
    assert "NOT SAVED" not in text


def test_a_failed_store_is_said_loudly() -> None:
    tree: dict[str, Any] = {
        "version": "1",
        "uptime": 0,
        "revision": 1,
        "percent": 0,
        "observed_share": None,
        "fallbacks": 0,
        "clients": 0,
        "tunnels": 0,
        "arms": {},
        "workers": [],
        "store": {"state": "failed", "message": "the disk is full", "persisted": False},
    }
    text = show.status(tree)
    assert "observed -" in text
    assert "STATE FILE FAILED: the disk is full" in text
    assert "NOT SAVED" in text


def test_weight() -> None:
    assert show.weight({"percent": 12.5, "revision": 3, "persisted": True}) == "canary weight 12.5 % (revision 3)"
    assert "NOT SAVED" in show.weight({"percent": 0, "revision": 4, "persisted": False})


def test_audit_is_in_columns() -> None:
    row = {"id": 7, "time": "2027", "actor": "operator", "outcome": "ok", "reason": "because"}
    rows = [
        row | {"action": "weight", "before": {"percent": 0.0}, "after": {"percent": 12.5}},
        row | {"action": "routes", "before": [], "after": [{}, {}]},
        row | {"action": "denied", "before": None, "after": {"attempts": 3}},
    ]
    lines = show.audit(rows).splitlines()
    assert lines[0].split() == ["id", "time", "who", "what", "outcome", "before", "after", "why"]
    assert "0 %       12.5 %" in lines[1]
    assert "0 routes  2 routes" in lines[2]
    assert "-         attempts 3" in lines[3]
    assert len({line.index("because") for line in lines[1:]}) == 1

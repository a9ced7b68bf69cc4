"""A rollout on a real router under a real load: start it, watch it, and find out what a bad canary cost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.faults.load import Load, running_load
from tests.faults.processes import wait_until
from tests.faults.router import Router

#: The default gates on a step that goes on until something ends it.
PLAN: dict[str, Any] = {"name": "fault case", "step": [{"name": "canary", "percent": 10, "hold": "1h"}]}
#: Together about 200 requests a second, also when some of them wait for an answer that never comes.
CLIENTS, THINK, USERS = 200, 1.0, 1000


@contextmanager
def two_hundred_a_second(router: Router, target: str = "/api/items/1") -> Iterator[Load]:
    with running_load(
        router.port, kept=CLIENTS, fresh=0, think=THINK, methods=("GET",), target=target, users=USERS
    ) as load:
        yield load


def start(router: Router, plan: dict[str, Any] = PLAN) -> None:
    status, text = router.ask("POST", "/api/v1/rollouts", {"plan": plan, "reason": "fault case"})
    assert status == 200, text


def rollout(router: Router) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(router.ask("GET", "/api/v1/rollout")[1])
    return tree


def decisions(router: Router) -> list[dict[str, Any]]:
    """All of them, the oldest first."""
    rows: list[dict[str, Any]] = json.loads(router.ask("GET", "/api/v1/decisions?limit=500")[1])["rows"]
    return rows[::-1]


def explanation(router: Router) -> dict[str, Any]:
    """Of the latest decision."""
    number = decisions(router)[-1]["id"]
    tree: dict[str, Any] = json.loads(router.ask("GET", f"/api/v1/decisions/{number}/explain")[1])
    return tree


def lag(router: Router) -> float:
    """Seconds from the counters' reading to the workers' having the weight, of the latest decision."""
    lines = router.ask("GET", "/metrics")[1].splitlines()
    (line,) = [line for line in lines if line.startswith("cutover_decision_lag_seconds ")]
    return float(line.split()[1])


@dataclass(frozen=True, slots=True)
class Rollback:
    """What it took from the fault on: `seconds` until weight 0, the gate, its words, and the decision's lag."""

    seconds: float
    gate: str
    words: str
    lag: float


def wait_for_rollback(router: Router, since: float) -> Rollback:
    """`since` is when the fault began, on the monotonic clock."""
    wait_until(lambda: rollout(router)["phase"] == "rolled_back", "the canary is rolled back", 60)
    seconds = time.monotonic() - since
    assert router.weight() == 0
    tree = explanation(router)
    assert tree["action"] == "rollback"
    assert tree["holds"], tree
    return Rollback(seconds, tree["gate"], tree["words"], lag(router))

"""The drill: what passes it, who may put it on record, and that a plan can ask for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.control import Control
from router.demo.processes import ROOT
from router.drill.faults import FAULTS, Result, passed
from router.errors import RefusedError
from router.rollout.driver import DRILL_SECONDS, Rollouts
from router.rollout.plan import Plan
from router.store import Store
from tests.router.fakes import FakeClock

PLAN = Plan.model_validate(
    {
        "step": [{"name": "shadow", "percent": 0}, {"name": "some", "percent": 10}],
        "gate": [],
        "require_drill": True,
    }
)
GOOD = [Result(fault, True, 9, 0.5, "errors").as_json() for fault in FAULTS]
MISSED = [*GOOD[:-1], Result("statuses", False, 900, 30.0, None).as_json()]
PATH = "/api/v1/drills"


@pytest.mark.parametrize(
    ("results", "ok"), [(GOOD, True), (MISSED, False), (GOOD[:-1], False), ([], False), (GOOD[:1] * 5, False)]
)
async def test_it_is_passed_when_every_fault_was_detected(
    operator: httpx.AsyncClient, control: Control, results: list[dict[str, Any]], ok: bool
) -> None:
    assert passed(results) is ok
    answer = await operator.post(PATH, json={"results": results, "reason": "before 12"})
    assert (answer.status_code, answer.json()) == (200, {"passed": ok})
    (row,) = await control.audit(1)
    assert (row.action, row.reason, json.loads(row.after)) == ("drill", "before 12", {"passed": ok})
    assert control.revision == 1


async def test_who_may_record_it(viewer: httpx.AsyncClient, anyone: httpx.AsyncClient, control: Control) -> None:
    body = {"results": GOOD, "reason": "r"}
    assert [(await who.post(PATH, json=body)).status_code for who in (viewer, anyone)] == [403, 401]
    assert await control.audit(1) == []


async def test_what_is_no_drill_is_refused(operator: httpx.AsyncClient) -> None:
    answer = await operator.post(PATH, json={"results": [GOOD[0] | {"fault": "flood"}], "reason": "r"})
    assert (answer.status_code, set(answer.json()["error"]["fields"])) == (422, {"results.0.fault"})


async def step(rollouts: Rollouts, clock: FakeClock) -> int:
    clock.advance(1)
    await rollouts.tick()
    assert rollouts.current is not None
    return rollouts.current.state.step


async def test_a_plan_that_wants_it_does_not_leave_0_percent_without(
    rollouts: Rollouts, control: Control, store: Store, clock: FakeClock
) -> None:
    await rollouts.start(PLAN, "operator", "go")
    assert await step(rollouts, clock) == 0
    assert rollouts.current is not None
    assert "run: cutover drill" in rollouts.current.missing[0]
    with pytest.raises(RefusedError, match="rollback drill"):
        await rollouts.command("promote", "operator", "now")
    await rollouts.record_drill(False, MISSED, "operator", "r")
    assert await step(rollouts, clock) == 0
    await rollouts.record_drill(True, GOOD, "operator", "r")
    clock.advance(DRILL_SECONDS + 1)
    assert await step(rollouts, clock) == 0
    await rollouts.record_drill(True, GOOD, "operator", "r")
    restarted = Rollouts(control, store, clock)
    await restarted.open()
    assert await step(restarted, clock) == 1
    assert control.percent == 10


async def test_a_plan_that_begins_with_users_is_refused_without(rollouts: Rollouts) -> None:
    plan = Plan.model_validate({"step": [{"name": "some", "percent": 10}], "gate": [], "require_drill": True})
    with pytest.raises(RefusedError, match="rollback drill"):
        await rollouts.start(plan, "operator", "go")
    assert rollouts.current is None


@pytest.mark.slow
def test_every_fault_is_detected(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "router", "drill", "--json"]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)
    assert [result["fault"] for result in results] == list(FAULTS)
    assert passed(results)
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []

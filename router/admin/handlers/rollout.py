"""The rollout: started, commanded, watched; and its decisions, explained."""

from __future__ import annotations

from starlette.responses import Response

from ...drill.faults import passed
from ...errors import RefusedError
from ...rollout.driver import Rollout
from ...rollout.machine import Action
from ...rollout.status import RolloutStatus, status
from ...table import CANARY
from ..answers import answer
from ..models import Command, DecisionQuery, DecisionRow, Decisions, Drill, DrillRecord, Explained, RolloutStart
from ..operation import Call


async def get_rollout(call: Call) -> Response:
    return _answer(call, call.rollouts.current)


async def start_rollout(call: Call) -> Response:
    body: RolloutStart = call.body
    plan = body.plan or call.control.settings.plan
    return _answer(call, await call.rollouts.start(plan, call.actor, body.reason, call.if_match))


async def pause_rollout(call: Call) -> Response:
    return await _command(call, "pause")


async def resume_rollout(call: Call) -> Response:
    return await _command(call, "resume")


async def promote_rollout(call: Call) -> Response:
    return await _command(call, "promote")


async def rollback_rollout(call: Call) -> Response:
    return await _command(call, "rollback")


async def abort_rollout(call: Call) -> Response:
    return await _command(call, "abort")


async def record_drill(call: Call) -> Response:
    body: DrillRecord = call.body
    results = [result.model_dump() for result in body.results]
    ok = passed(results)
    await call.rollouts.record_drill(ok, results, call.actor, body.reason)
    return answer(Drill(passed=ok))


async def get_decisions(call: Call) -> Response:
    query: DecisionQuery = call.query
    rows = [DecisionRow(**row) for row in await call.rollouts.decisions(query.limit, query.before)]
    more = len(rows) == query.limit and rows[-1].id > 1
    return answer(Decisions(rows=rows, next=rows[-1].id if more else None))


async def explain_decision(call: Call) -> Response:
    number = call.request.path_params["id"]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise RefusedError("a decision's id is a number", 404, "not_found")
    row, explanation = await call.rollouts.explain(int(number))
    return answer(Explained(**row, holds=explanation.holds, gates=explanation.gates))


async def _command(call: Call, action: Action) -> Response:
    body: Command = call.body
    return _answer(call, await call.rollouts.command(action, call.actor, body.reason, call.if_match))


def describe(call: Call, rollout: Rollout) -> RolloutStatus:
    return status(rollout, call.control.per_second(CANARY))


def _answer(call: Call, rollout: Rollout | None) -> Response:
    if rollout is None:
        raise RefusedError("there has been no rollout; start one with POST /api/v1/rollouts", 404, "no_rollout")
    return answer(describe(call, rollout), call.control.revision)

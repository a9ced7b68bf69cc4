"""The weight: read and set."""

from __future__ import annotations

from starlette.responses import Response

from ..answers import answer
from ..models import Weight, WeightChange
from ..operation import Call


async def get_weight(call: Call) -> Response:
    control = call.control
    weight = Weight(percent=control.percent, revision=control.revision, persisted=control.persisted)
    return answer(weight, control.revision)


async def put_weight(call: Call) -> Response:
    body: WeightChange = call.body
    change = await call.rollouts.set_weight(body.percent, call.actor, body.reason, call.if_match)
    weight = Weight(percent=body.percent, revision=change.revision, persisted=change.persisted)
    return answer(weight, change.revision)

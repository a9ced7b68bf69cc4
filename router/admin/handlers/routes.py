"""Routes: read and replaced as a whole."""

from __future__ import annotations

from starlette.responses import Response

from ..answers import answer
from ..models import Routes, RoutesChange
from ..operation import Call


async def get_routes(call: Call) -> Response:
    control = call.control
    return answer(Routes(routes=list(control.routes), revision=control.revision), control.revision)


async def put_routes(call: Call) -> Response:
    body: RoutesChange = call.body
    change = await call.control.set_routes(body.routes, call.actor, body.reason, call.if_match)
    return answer(Routes(routes=body.routes, revision=change.revision), change.revision)

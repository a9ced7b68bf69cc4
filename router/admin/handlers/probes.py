"""Liveness and readiness, for whoever watches the process."""

from __future__ import annotations

from starlette.responses import Response

from ...errors import RefusedError
from ...status import endpoints
from ...table import STABLE
from ..answers import answer
from ..models import Alive
from ..operation import Call


async def healthz(call: Call) -> Response:
    return answer(Alive())


async def readyz(call: Call) -> Response:
    control = call.control
    reason = call.context.unready()
    if not reason and not any(stable.up for stable in endpoints(control.settings, control.table, STABLE)):
        reason = "no stable endpoint is up"
    if reason:
        raise RefusedError(reason, 503, "not_ready")
    return answer(Alive())

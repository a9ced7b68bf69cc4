"""What the router tells about itself, to people and to Prometheus."""

from __future__ import annotations

from starlette.responses import Response

from ...metrics import exposition
from ...status import Status
from ..answers import answer
from ..operation import Call
from .rollout import describe


async def get_status(call: Call) -> Response:
    status = describe_all(call)
    return answer(status, status.revision)


def describe_all(call: Call) -> Status:
    """The router and its rollout."""
    status, rollout = call.control.status(), call.rollouts.current
    if rollout is not None:
        status.rollout = describe(call, rollout)
    return status


async def metrics(call: Call) -> Response:
    text, media_type = exposition(call.control, call.rollouts, call.request.headers.get("accept", ""))
    return Response(text, headers={"content-type": media_type})

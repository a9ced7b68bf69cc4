"""What the router tells about itself, to people and to Prometheus."""

from __future__ import annotations

from starlette.responses import Response

from ...metrics import exposition
from ..answers import answer
from ..operation import Call


async def get_status(call: Call) -> Response:
    status = call.control.status()
    return answer(status, status.revision)


async def metrics(call: Call) -> Response:
    text, media_type = exposition(call.control, call.request.headers.get("accept", ""))
    return Response(text, headers={"content-type": media_type})

"""A Starlette application that answers everything with the file SAME_BYTES: what HTTP alone costs."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_BODY = Path(os.environ["SAME_BYTES"]).read_bytes()


async def _same(request: Request) -> Response:
    return Response(_BODY, media_type="application/json")


app = Starlette(routes=[Route("/{path:path}", _same)])

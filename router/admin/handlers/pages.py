"""The page at / and the OpenAPI document."""

from __future__ import annotations

from html import escape

import orjson
from starlette.responses import HTMLResponse, Response

from ...version import VERSION
from ..openapi import document
from ..operation import Call

_LINKS = ("/openapi.json", "/metrics", "/healthz", "/readyz", "/api/v1/status")

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>cutover admin</title></head>
<body>
<h1>cutover {version}</h1>
<p>Admin port of a canary router that splits traffic between two arms, stable and canary.</p>
<ul>
{links}
</ul>
<p>/api/v1 needs a token: <code>Authorization: Bearer TOKEN</code>.</p>
</body>
</html>
"""


async def index(call: Call) -> Response:
    links = "\n".join(f'<li><a href="{path}">{path}</a></li>' for path in _LINKS)
    return HTMLResponse(_PAGE.format(version=escape(VERSION), links=links))


async def openapi(call: Call) -> Response:
    return Response(orjson.dumps(document(call.context.operations)), media_type="application/json")

"""How the admin API answers: JSON of models, errors in one shape, and the headers every answer carries."""

from __future__ import annotations

from typing import Any

import orjson
from loguru import logger
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import RefusedError, RouterError
from .models import Error, ErrorDetail
from .operation import Braked

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}


def answer(model: BaseModel, revision: int | None = None) -> Response:
    """200 with the model as JSON, and the revision as ETag."""
    headers = {} if revision is None else {"etag": f'"{revision}"'}
    return Response(model.model_dump_json(), headers=headers, media_type="application/json")


def failure(
    status: int, code: str, message: str, fields: dict[str, str] | None = None, headers: Any = None
) -> Response:
    error = Error(error=ErrorDetail(code=code, message=message, fields=fields or None))
    return Response(
        orjson.dumps(error.model_dump(exclude_none=True)), status, headers=headers, media_type="application/json"
    )


async def router_error(request: Request, error: Exception) -> Response:
    """One of our own errors; its message is for people, so it may be shown."""
    assert isinstance(error, RouterError)
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="cutover"'
    if isinstance(error, Braked):
        headers["retry-after"] = str(max(1, round(error.seconds)))
    fields = error.fields if isinstance(error, RefusedError) else None
    return failure(error.status, error.label, str(error), fields, headers)


async def http_error(request: Request, error: Exception) -> Response:
    """What Starlette's router raises: no such path, or not with this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        message = f"there is no {request.url.path}; /openapi.json lists what there is"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.url.path} doesn't take {request.method}; it takes {allowed}"
    else:
        message = error.detail
    return failure(error.status_code, _CODES.get(error.status_code, "refused"), message, None, error.headers)


class Boundary:
    """Outermost middleware: adds the headers, and turns what nobody expected into a 500 that tells nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception:
            logger.exception("{} {} failed", scope.get("method"), scope.get("path"))
            if started:
                raise
            response = failure(500, "internal", "something went wrong in the router; its log has the details")
            await response(scope, receive, guarded)

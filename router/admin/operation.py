"""What one operation of the admin API is, and how a request becomes a call of its handler.

Role, query, If-Match and body are checked here, the same for every operation; handlers only do their work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from ..control import Control
from ..errors import RefusedError
from ..rollout.driver import Rollouts
from .auth import Brake, Role, Tokens, bearer

#: Largest request body, but for operations that say otherwise.
BODY_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers work with; `unready` says why the router isn't ready, or nothing when it is."""

    control: Control
    rollouts: Rollouts
    tokens: Tokens
    brake: Brake
    unready: Callable[[], str]
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request."""

    context: Context
    request: Request
    actor: str
    body: Any = None  # instance of the operation's `body`
    query: Any = None  # instance of the operation's `query`
    if_match: int | None = None

    @property
    def control(self) -> Control:
        return self.context.control

    @property
    def rollouts(self) -> Rollouts:
        return self.context.rollouts


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table that routes and the OpenAPI document are made from."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Response]]
    summary: str
    role: Role
    answer: type[BaseModel] | str  # a model, or the media type of what isn't JSON
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    body_max: int = BODY_MAX
    versioned: bool = False  # has an ETag; a write takes If-Match
    statuses: tuple[int, ...] = field(default=())  # errors beyond those that follow from the rest

    async def __call__(self, context: Context, request: Request) -> Response:
        role = await authenticate(context, request, self.role)
        return await self.handler(
            Call(
                context,
                request,
                actor=f"{role.name.lower()}@{_peer(request)}",
                query=_validate(self.query, dict(request.query_params)) if self.query else None,
                if_match=_if_match(request) if self.versioned and self.method != "GET" else None,
                body=_validate(self.body, await _json(request, self.body_max)) if self.body else None,
            )
        )


async def authenticate(context: Context, request: Request, needed: Role) -> Role:
    """The role of the request's token; `RefusedError` when that isn't enough."""
    if needed is Role.ANYONE:
        return Role.ANYONE
    token = bearer(request.headers.get("authorization", ""))
    if token is None:
        raise RefusedError("send the token as Authorization: Bearer TOKEN", 401, "unauthorized")
    peer = _peer(request)
    wait = context.brake.wait(peer)
    if wait:
        raise Braked("too many wrong tokens from this address", wait)
    role = context.tokens.role(token)
    if role is Role.ANYONE:
        attempts = context.brake.failed(peer)
        if attempts:
            await context.control.record_denied(peer, attempts)
        raise RefusedError("that token is not valid here", 401, "unauthorized")
    if role < needed:
        raise RefusedError(f"this needs the {needed.name.lower()}'s token", 403, "forbidden")
    return role


class Braked(RefusedError):
    """Told to wait; `seconds` goes into Retry-After."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, 429, "too_many_requests")
        self.seconds = seconds


def _peer(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _if_match(request: Request) -> int | None:
    """Revision from If-Match (RFC 9110 13.1.1); None when it is missing or ``*``."""
    value = request.headers.get("if-match", "*").strip()
    if value == "*":
        return None
    digits = value.removeprefix('"').removesuffix('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise RefusedError(
            "If-Match holds none of our ETags; send the one that GET answered", 412, "precondition_failed"
        )
    return int(digits)


async def _json(request: Request, limit: int) -> Any:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusedError("send the body as Content-Type: application/json", 415, "unsupported_media_type")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise RefusedError(f"the body is larger than {limit // 1024} KiB", 413, "too_large")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"the body is not JSON: {error}", 400, "bad_request") from None


def _validate(model: type[BaseModel], value: Any) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = {
            ".".join(map(str, problem["loc"])) or "body": problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_url=False, include_input=False)
        }
        message = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        raise RefusedError(message, 422, "invalid", fields) from None

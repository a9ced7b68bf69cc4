"""What every request goes through, in the order in which clients of the Go backend see it:

request id → CORS → route → CSRF → session → 404 or 405 → handler. One ASGI application with one send wrapper: the
layers are plain functions of their own modules, as a chain of middleware costs more than all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import getrandbits
from time import perf_counter
from typing import Any

from loguru import logger

from .. import log
from ..clock import Clock
from ..errors import BackendError, RequestError
from ..metrics import Metrics
from . import answer, csrf
from .answer import Answer, Header
from .body import MAX_PUBLIC, MAX_SIGNED_IN, BoundedBody, DisconnectedError
from .cookies import read_cookies
from .cors import Cors
from .routes import CSRF_EXEMPT, PUBLIC, Asgi, Routes, request, target

#: The e-mail in a `session` cookie's value at a Unix time, or None.
UserOf = Callable[[str, int], str | None]

_COOKIES = frozenset((b"csrf", b"session"))
#: Characters of a request id that are kept, as many as the router sends.
_MAX_ID = 128
_CLOSE: Header = (b"connection", b"close")


class Edge:
    """The ASGI application around the features' handlers.

    What handlers find in the scope: `user` (e-mail of the session, absent on public paths) and `csrf` (the token).
    """

    def __init__(self, routes: Routes, cors: Cors, user_of: UserOf, clock: Clock, metrics: Metrics) -> None:
        self._routes = routes
        self._cors = cors
        self._user_of = user_of
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started = perf_counter()
        metrics = self._metrics
        metrics.active += 1
        exchange = _Exchange(scope, receive, send)
        log.request_id.set(exchange.id)
        try:
            try:
                await exchange.send_whole(await self._answer(exchange))
            except Exception as error:
                if exchange.status:
                    raise  # the answer has begun: the server cuts it off
                await _failed(error, exchange)
        finally:
            metrics.active -= 1
            metrics.request(scope["method"], exchange.route, exchange.status, perf_counter() - started)

    async def _answer(self, exchange: _Exchange) -> Asgi:
        scope = exchange.scope
        method = scope["method"]
        path = target(scope["raw_path"])
        if path is None:
            return Answer(400, b"400 Bad Request", b"text/plain; charset=utf-8", (_CLOSE,))
        exchange.headers = self._cors.headers(exchange.origin)
        if method == "OPTIONS":
            return self._cors.preflight(exchange.origin)
        found = self._routes.find(method, path)
        exchange.route = found.path
        now = int(self._clock())
        cookies = read_cookies(exchange.cookies, _COOKIES) if exchange.cookies else {}
        if found.path not in CSRF_EXEMPT:
            token = csrf.check(method, cookies.get(b"csrf"), exchange.has_csrf_header)
            exchange.headers += (csrf.set_cookie(token, now), csrf.VARY)
            scope["csrf"] = token
        limit = MAX_PUBLIC
        if found.path not in PUBLIC:
            cookie = cookies.get(b"session")
            user = None if cookie is None else self._user_of(cookie, now)
            if user is None:
                raise RequestError(401, "Unauthorized: No valid session", "session")
            scope["user"] = user
            self._metrics.sessions.saw(user)
            limit = MAX_SIGNED_IN
        if found.handler is None:
            if not found.allow:
                raise RequestError(404, "Not Found", "not_found")
            exchange.headers.append((b"allow", found.allow.encode("ascii")))
            raise RequestError(405, "Method Not Allowed", "method")
        if exchange.has_body:
            exchange.receive = BoundedBody(exchange.receive, limit, exchange.length)
        return await found.handler(request(scope, exchange.receive, exchange.forward, found))


class _Exchange:
    """One request with what the layers need of its head, and the only wrapper around `send`."""

    __slots__ = (
        "cookies",
        "has_body",
        "has_csrf_header",
        "headers",
        "id",
        "length",
        "origin",
        "receive",
        "route",
        "scope",
        "send",
        "status",
    )

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.headers: list[Header] = []
        self.route = ""
        self.status = 0
        headers = scope["headers"]
        fields = dict(reversed(headers))  # the first of several lines counts
        self.origin: bytes = fields.get(b"origin", b"")
        self.has_csrf_header = b"x-csrf-token" in fields
        self.length = int(fields.get(b"content-length", 0))
        self.has_body = self.length > 0 or b"transfer-encoding" in fields
        self.cookies: list[bytes] = []
        if b"cookie" in fields:
            self.cookies = [value for name, value in headers if name == b"cookie"]
        sent_id: bytes | None = fields.get(b"x-request-id")
        self.id = sent_id[:_MAX_ID].decode("latin-1") if sent_id else f"{getrandbits(64):016x}"

    async def send_whole(self, whole: Asgi) -> None:
        """Send an answer; one of ours without the detour through `forward`, as most are."""
        if not isinstance(whole, Answer):
            await whole(self.scope, self.receive, self.forward)
            return
        self.status = whole.status
        headers = [*self.headers, *whole.headers]
        await self.send({"type": "http.response.start", "status": whole.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": whole.body})

    async def forward(self, message: Any) -> None:
        """`send` for whatever answers in its own way."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*self.headers, *message["headers"]]
        await self.send(message)


async def _failed(error: Exception, exchange: _Exchange) -> None:
    """Answer an error: one of our tree by its status, anything else by a logged 500."""
    scope = exchange.scope
    # The route's path, not the request's: an API key may stand in that.
    where = f"{scope['method']} {exchange.route or 'of no route'}"
    if isinstance(error, DisconnectedError):
        logger.debug("{}: {}", where, error)
        exchange.status = error.status
        return
    if not isinstance(error, BackendError):
        logger.opt(exception=error).error("{} failed", where)
        error = RequestError(500, "Internal Server Error", "internal")
    elif error.status >= 500:
        logger.warning("{}: {}", where, error)
    whole = answer.error(error)
    if scope["method"] == "HEAD":
        whole = Answer(whole.status)
    if error.status == 413:
        exchange.headers.append(_CLOSE)
    await exchange.send_whole(whole)

"""Upstream connections of one arm: which endpoint, which connection, who waits.

Choosing is plain arithmetic on counts; only `_connect` does I/O. Newest idle connection first, so that the oldest age
out. Bounded in connections an endpoint and in waiting requests; a request that waits too long is told so.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from ..errors import OUR_FAULT, UpstreamError
from ..table import EJECTED, ENDPOINTS, UP
from .tls import upstream_context
from .upstream import IDLE, Upstream

if TYPE_CHECKING:
    from .core import Core
    from .exchange import Exchange


class Endpoint:
    """One address of an arm and its connections."""

    __slots__ = (
        "busy",
        "connecting",
        "ejected_until",
        "failures",
        "host",
        "idle",
        "index",
        "pool",
        "port",
        "tls",
        "url",
    )

    def __init__(self, pool: Pool, index: int, url: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self.pool = pool
        self.index = index
        self.url = url
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.tls = tls
        self.idle: list[Upstream] = []
        self.busy = 0
        self.connecting = 0
        self.failures = 0
        self.ejected_until = 0.0


class Pool:
    """All endpoints of an arm, as one worker sees them."""

    __slots__ = ("_core", "_limit", "_queue", "_queue_limit", "_single", "_tasks", "_turn", "arm", "endpoints")

    def __init__(self, core: Core, arm: int, urls: tuple[str, ...]) -> None:
        settings = core.settings
        self._core = core
        self._limit = settings.limits.pool
        self._queue_limit = settings.limits.queue
        self._queue: deque[tuple[float, Exchange]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0
        self.arm = arm
        self.endpoints = [
            Endpoint(self, index, url, upstream_context(settings.tls) if url.startswith("https:") else None)
            for index, url in enumerate(urls)
        ]
        self._single = self.endpoints[0] if len(urls) == 1 else None

    @property
    def busy(self) -> int:
        return sum(endpoint.busy for endpoint in self.endpoints)

    @property
    def idle(self) -> int:
        return sum(len(endpoint.idle) for endpoint in self.endpoints)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def is_available(self) -> bool:
        """Whether any endpoint takes new requests."""
        core = self._core
        single = self._single
        if single is not None:
            return single.ejected_until <= core.now and core.header[UP + self.arm * ENDPOINTS] == 1
        return any(self._is_up(endpoint) for endpoint in self.endpoints)

    def _is_up(self, endpoint: Endpoint) -> bool:
        core = self._core
        return endpoint.ejected_until <= core.now and core.table.up(self.arm, endpoint.index)

    def take(self, exchange: Exchange, fresh: bool) -> Upstream | None:
        """An idle connection at once, or None: then `exchange.connected` or `exchange.failed` is called later.

        `fresh` asks for a new connection; endpoints that `exchange` has tried are left out while others are up.
        """
        endpoint = self._single
        if endpoint is None:
            endpoint = self._choose(exchange.tried)
        if endpoint is None:
            self._core.loop.call_soon(exchange.failed, UpstreamError("no upstream is configured", "unavailable", 503))
            return None
        idle = endpoint.idle
        if idle and not fresh:
            repeatable = exchange.request.idempotent
            while idle:
                upstream = idle.pop()
                if repeatable or upstream.is_quiet():
                    endpoint.busy += 1
                    return upstream
                endpoint.busy += 1
                upstream.close()
        if endpoint.busy + endpoint.connecting + len(idle) < self._limit:
            self._open(endpoint, exchange)
        elif len(self._queue) >= self._queue_limit and not self._forget_gone():
            self._core.loop.call_soon(exchange.failed, UpstreamError("too many requests wait", "pool", 503))
        else:
            self._queue.append((self._core.now + self._core.timeouts.pool_wait, exchange))
        return None

    def _forget_gone(self) -> bool:
        """Take requests whose clients left out of the full queue; whether that made room."""
        self._queue = deque(entry for entry in self._queue if entry[1].wants_connection())
        return len(self._queue) < self._queue_limit

    def _choose(self, tried: tuple[Endpoint, ...]) -> Endpoint | None:
        """Least outstanding requests among those that are up; ties take turns. None up: any, rather than none."""
        if not self.endpoints:
            return None
        self._turn += 1
        candidates = [found for found in self.endpoints if found not in tried and self._is_up(found)]
        candidates = candidates or [found for found in self.endpoints if self._is_up(found)] or self.endpoints
        start = self._turn % len(candidates)
        return min(candidates[start:] + candidates[:start], key=lambda found: found.busy + found.connecting)

    def has_untried(self, tried: tuple[Endpoint, ...]) -> bool:
        return any(endpoint not in tried and self._is_up(endpoint) for endpoint in self.endpoints)

    def _open(self, endpoint: Endpoint, exchange: Exchange) -> None:
        endpoint.connecting += 1
        task = self._core.loop.create_task(self._connect(endpoint, exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, endpoint: Endpoint, exchange: Exchange) -> None:
        core = self._core
        upstream = Upstream(core, endpoint)
        try:
            async with asyncio.timeout(core.timeouts.connect):
                await core.loop.create_connection(
                    lambda: cast(asyncio.Protocol, upstream), endpoint.host, endpoint.port, ssl=endpoint.tls
                )
        except (OSError, ssl.CertificateError) as error:
            endpoint.connecting -= 1
            if getattr(error, "errno", None) not in OUR_FAULT:
                self._count_failure(endpoint)
            exchange.failed(_translate(error), endpoint)
            self._open_for_next(endpoint)
            return
        except BaseException:
            endpoint.connecting -= 1
            raise
        endpoint.connecting -= 1
        endpoint.failures = 0
        if exchange.wants_connection():
            endpoint.busy += 1
            exchange.connected(upstream)
        else:
            self._offer(upstream)

    def _count_failure(self, endpoint: Endpoint) -> None:
        health = self._core.settings.health
        endpoint.failures += 1
        if endpoint.failures >= health.eject_after:
            endpoint.failures = 0
            endpoint.ejected_until = self._core.now + health.eject_for
            self._core.cells[EJECTED + self.arm * ENDPOINTS + endpoint.index] = 1

    def release(self, upstream: Upstream) -> None:
        """Take back a connection that is ready for another request."""
        endpoint = upstream.endpoint
        endpoint.busy -= 1
        if self._queue:
            self._offer(upstream)
        else:
            upstream.state = IDLE
            upstream.deadline = self._core.now + self._core.upstream_idle
            endpoint.idle.append(upstream)

    def lost(self, upstream: Upstream, was_busy: bool) -> None:
        """Forget a connection that is closed; whoever waits may open another."""
        endpoint = upstream.endpoint
        if was_busy:
            endpoint.busy -= 1
        elif upstream in endpoint.idle:
            endpoint.idle.remove(upstream)
        self._open_for_next(endpoint)

    def _open_for_next(self, endpoint: Endpoint) -> None:
        """A place for a connection became free: whoever waits longest gets it."""
        if self._queue and (exchange := self._next()) is not None:
            self._open(endpoint, exchange)

    def _offer(self, upstream: Upstream) -> None:
        """Give a connection to whoever waits longest, else let it lie idle."""
        exchange = self._next()
        upstream.endpoint.busy += 1
        if exchange is not None:
            exchange.connected(upstream)
        else:
            self.release(upstream)

    def _next(self) -> Exchange | None:
        """The next waiting request that still wants a connection; the queue is empty after None."""
        while self._queue:
            _, exchange = self._queue.popleft()
            if exchange.wants_connection():
                return exchange
        return None

    def tick(self, now: float) -> None:
        """Tell requests that waited too long, end ejections."""
        while self._queue and self._queue[0][0] <= now:
            _, exchange = self._queue.popleft()
            if exchange.wants_connection():
                exchange.failed(UpstreamError("no upstream connection became free", "pool", 503))
        for endpoint in self.endpoints:
            if endpoint.ejected_until and endpoint.ejected_until <= now:
                endpoint.ejected_until = 0.0
                self._core.cells[EJECTED + self.arm * ENDPOINTS + endpoint.index] = 0

    def close_idle(self) -> None:
        for endpoint in self.endpoints:
            for upstream in list(endpoint.idle):
                upstream.close()


def _translate(error: BaseException) -> UpstreamError:
    """What went wrong while connecting, in our terms; nothing was sent."""
    if isinstance(error, TimeoutError):
        return UpstreamError("connecting took too long", "connect_timeout", 504)
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return UpstreamError("TLS handshake failed", "tls")
    if isinstance(error, socket.gaierror):
        return UpstreamError("name could not be resolved", "refused")
    if isinstance(error, OSError) and error.errno in OUR_FAULT:
        return UpstreamError("the router is out of sockets", "unavailable", 503)
    return UpstreamError("connection refused", "refused")

"""One request and its answer: choosing the arm, sending, retrying once, falling back to stable, counting.

It sits between one client connection and, at a time, one upstream connection, and decides what neither can alone.
"""

from __future__ import annotations

import enum
from time import monotonic
from typing import TYPE_CHECKING

from ..counters import FALLBACK, FALLBACKS, RETRIES, UPGRADES
from ..errors import UpstreamError
from ..table import CANARY, STABLE
from ..wire.body import LAST_CHUNK, chunk
from ..wire.response import Response

if TYPE_CHECKING:
    from .core import Core
    from .downstream import Downstream
    from .heads import Heads
    from .pool import Endpoint
    from .upstream import Upstream

_TO_UPSTREAM = (b"\r\nX-Cutover-Arm: stable\r\n\r\n", b"\r\nX-Cutover-Arm: canary\r\n\r\n")
_TO_CLIENT = (b"\r\nX-Cutover-Arm: stable\r\n", b"\r\nX-Cutover-Arm: canary\r\n")

#: A canary's answer to a repeatable request waits here until it is whole, if it is this small: a canary that dies
#: in the middle of it can then still be replaced by stable.
HOLD_BYTES = 16 * 1024

#: Client closed before the answer, as nginx counts it.
CLIENT_GONE = 499

# Failures before which nothing was sent, so that any method may be repeated.
_NOTHING_SENT = frozenset(("refused", "connect_timeout", "tls", "pool", "unavailable"))


class Phase(enum.IntEnum):
    """Where an exchange stands."""

    CONNECTING = 0  # waits for a connection
    WAITING = 1  # sent (perhaps not all of its body), no answer passed on
    ANSWERING = 2  # the answer's head is with the client
    DONE = 3


CONNECTING, WAITING, ANSWERING, DONE = Phase


class Exchange:
    """Made by the client connection for every request; lives until the answer is written or given up."""

    __slots__ = (
        "_by",
        "_chunked",
        "_cookie",
        "_core",
        "_held",
        "_held_response",
        "_interims",
        "_prefix",
        "_request_id",
        "_retried",
        "_rule",
        "_started",
        "_status",
        "arm",
        "body_done",
        "closes",
        "down",
        "first_byte",
        "kept",
        "kept_size",
        "phase",
        "request",
        "tried",
        "upstream",
    )

    def __init__(self, core: Core, down: Downstream, heads: Heads, cookie: bytes) -> None:
        request = heads.request
        self._started = monotonic()
        self._core = core
        self.down = down
        self.request = request
        self._prefix = heads.prefix
        self.arm = heads.arm
        self._by = heads.by
        self._rule = heads.rule
        self.first_byte = heads.first_byte
        self._request_id = request.request_id or core.random_id()
        self._cookie = cookie
        self.phase = CONNECTING
        self.upstream: Upstream | None = None
        self.tried: set[Endpoint] = _NO_ENDPOINTS
        self._retried = False
        self._interims = 0
        self._status = 0
        self._chunked = False
        self._held: list[bytes] | None = None
        self._held_response: Response | None = None
        self.closes = False
        self.body_done = request.body == 0
        self.kept: list[bytes] | None = None
        self.kept_size = 0

    # Towards the upstream.

    def start(self) -> None:
        core = self._core
        if self.arm == CANARY and core.settings.split.fallback and not core.pools[CANARY].is_available():
            self.arm = STABLE
            self._by = FALLBACK
        self._connect(False)

    def _connect(self, fresh: bool) -> None:
        self.phase = CONNECTING
        pool = self._core.pools[self.arm]
        if not pool.endpoints:
            self.failed(UpstreamError("no upstream is configured", "unavailable", 503))
            return
        upstream = pool.take(self, fresh)
        if upstream is not None:
            self.connected(upstream)

    def wants_connection(self) -> bool:
        return self.phase is CONNECTING

    def connected(self, upstream: Upstream) -> None:
        """The pool found a connection: send what there is."""
        self.phase = WAITING
        self.upstream = upstream
        data = self._prefix + self._request_id + _TO_UPSTREAM[self.arm]
        if self.request.body != 0:
            if self.kept:
                data += self._frame(b"".join(self.kept))
            if self.body_done and self.request.body < 0:
                data += LAST_CHUNK
            if not self.request.idempotent or self.kept_size > self._core.settings.limits.kept_body:
                self.kept = None
            upstream.begin(self, data, self.body_done)
            self.down.update_reading()
        else:
            upstream.begin(self, data, True)

    def _frame(self, payload: bytes) -> bytes:
        return chunk(payload) if self.request.body < 0 else payload

    def keep(self, payload: bytes, done: bool) -> None:
        """Body that came with the head."""
        self.kept = [payload] if payload else []
        self.kept_size = len(payload)
        self.body_done = done

    def feed(self, payload: bytes, done: bool) -> None:
        """More of the request's body; `done` with its last piece."""
        self.body_done = done
        self.kept_size += len(payload)
        if self.kept is not None and payload:
            if self.phase is CONNECTING or self.kept_size <= self._core.settings.limits.kept_body:
                self.kept.append(payload)
            else:
                self.kept = None
        if self.phase is CONNECTING or self.upstream is None:
            return
        data = self._frame(payload) if payload else b""
        if done and self.request.body < 0:
            data += LAST_CHUNK
        if data:
            self.upstream.send(data)

    def failed(self, error: UpstreamError, endpoint: Endpoint | None = None) -> None:
        """No connection could be had."""
        if self.phase is not CONNECTING:
            return
        pool = self._core.pools[self.arm]
        if endpoint is not None and len(pool.endpoints) > 1:
            self.tried = self.tried | {endpoint}
            if pool.has_untried(self.tried):
                self._connect(False)
                return
        self._settle(error)

    def broken(self, error: UpstreamError, started: bool) -> None:
        """The upstream failed after it had the request; `started` when any byte of an answer came."""
        upstream, self.upstream = self.upstream, None
        if self.phase is ANSWERING:
            self._core.counters.error(self.arm, error.label)
            self._observe(self._status)
            self.phase = DONE
            self.down.abort()
            return
        self._held = self._held_response = None
        if (
            error.label == "reset"
            and not started
            and upstream is not None
            and upstream.served
            and not self._retried
            and self._may_repeat()
        ):
            self._retried = True
            self._core.counters.count(RETRIES + self.arm)
            self._connect(True)
            return
        self._settle(error)

    def _may_repeat(self) -> bool:
        """Whether sending the request once more is safe and possible."""
        return self.request.idempotent and (self.request.body == 0 or self.kept is not None)

    def _settle(self, error: UpstreamError) -> None:
        """Count a failure, then let stable answer where that is safe, else answer with the error."""
        core = self._core
        core.counters.error(self.arm, error.label)
        safe = error.label in _NOTHING_SENT or (error.label in ("reset", "truncated") and self._may_repeat())
        if self.arm == CANARY and core.settings.split.fallback and safe:
            core.counters.count(FALLBACKS)
            self.arm = STABLE
            self._by = FALLBACK
            self.tried = _NO_ENDPOINTS
            self._retried = False
            self._connect(False)
            return
        self.refuse(error.status, error.label, str(error))

    # Towards the client.

    def answer(self, response: Response, payload: bytes, done: bool) -> None:
        """The final answer's head, what there is of its body, and whether that is all."""
        if not done and self._holds(response):
            self._held = [payload]
            self._held_response = response
            return
        self._pass_on(response, payload, done)

    def _holds(self, response: Response) -> bool:
        return (
            self.arm == CANARY
            and 0 < response.body <= HOLD_BYTES
            and self._core.settings.split.fallback
            and self._may_repeat()
        )

    def _pass_on(self, response: Response, payload: bytes, done: bool) -> None:
        request = self.request
        framing = response.framing
        closes = self.closes or not request.keep_alive or not self.body_done or self._core.draining
        connection = b"X-Request-Id: "
        if response.body < 0 and not response.bodiless:
            if request.minor == 0:
                framing = b""
                closes = True
            else:
                self._chunked = True
        if closes:
            connection = b"Connection: close\r\nX-Request-Id: "
        elif request.minor == 0:
            connection = b"Connection: keep-alive\r\nX-Request-Id: "
        self.closes = closes
        self._status = response.status
        if response.bodiless:
            payload = b""
        elif self._chunked:
            payload = (chunk(payload) if payload else b"") + (LAST_CHUNK if done else b"")
        self.phase = ANSWERING
        arm = _TO_CLIENT[self.arm] if self._core.settings.split.expose_arm else b"\r\n"
        self.down.send(
            b"".join((response.head, framing, connection, self._request_id, arm, self._cookie, b"\r\n", payload))
        )
        if done:
            self._finish()

    def piece(self, payload: bytes, done: bool) -> None:
        """More of the answer's body."""
        if self._held is not None:
            self._held.append(payload)
            if done:
                response, held = self._held_response, self._held
                assert response is not None
                self._held = self._held_response = None
                self._pass_on(response, b"".join(held), True)
            return
        if self._chunked:
            payload = (chunk(payload) if payload else b"") + (LAST_CHUNK if done else b"")
        if payload and self._status != 205:
            self.down.send(payload)
        if done:
            self._finish()

    def interim(self, response: Response) -> bool:
        """Relay a 1xx to clients that know them; False when there were too many."""
        self._interims += 1
        if self._interims > self._core.settings.limits.interim:
            return False
        if self.request.minor == 1:
            self.down.send(response.head + b"\r\n")
        return True

    def switched(self, response: Response, rest: bytes) -> None:
        """101: from here on bytes go both ways untouched."""
        upstream = self.upstream
        assert upstream is not None
        self._core.counters.count(UPGRADES)
        self._observe(101)
        self.phase = DONE
        arm = _TO_CLIENT[self.arm] if self._core.settings.split.expose_arm else b"\r\n"
        head = (response.head, b"Connection: Upgrade\r\nUpgrade: websocket\r\nX-Request-Id: ")
        self.down.send(b"".join((*head, self._request_id, arm, self._cookie, b"\r\n", rest)))
        self.down.tunnel(upstream)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer with an error of the router's own."""
        if self.phase is ANSWERING:
            self.abandon()
            self.down.abort()
            return
        self._drop_upstream()
        self.closes = self.closes or not self.request.keep_alive or not self.body_done or self._core.draining
        self._status = status
        extra = (_TO_CLIENT[self.arm][2:] if self._core.settings.split.expose_arm else b"") + self._cookie
        self.down.send_error(status, code, message, self._request_id, extra, self.closes, self.request.is_head)
        self._finish()

    def _finish(self) -> None:
        self.phase = DONE
        self.upstream = None
        self._observe(self._status)
        self.down.finished(self.closes)

    def abandon(self) -> None:
        """The client is gone, or no longer worth an answer."""
        if self.phase is DONE:
            return
        self.phase = DONE
        self._drop_upstream()
        self._observe(CLIENT_GONE)

    def _drop_upstream(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.close()

    def _observe(self, status: int) -> None:
        self._core.counters.observe(
            self.arm,
            self._by,
            self.request.method,
            status,
            self._rule.label,
            int((monotonic() - self._started) * 1e6),
        )


_NO_ENDPOINTS: set[Endpoint] = set()

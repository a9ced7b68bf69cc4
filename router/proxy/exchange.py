"""One request and its answer: choosing a connection, sending, retrying once, falling back to stable, counting.

It sits between one client connection and, at a time, one upstream connection, and decides what neither can alone.
"""

from __future__ import annotations

import enum
from time import monotonic
from typing import TYPE_CHECKING, Final

from ..counters import ABORTED, FALLBACKS, LATE, OVERDUE, OVERDUE_SECONDS, RETRIES, UPGRADES
from ..errors import UpstreamError
from ..split import CANARY, FALLBACK, STABLE
from ..wire.body import LAST_CHUNK, chunk
from .reset import reset_on_close
from .upload import Upload

if TYPE_CHECKING:
    from ..wire.response import Response
    from .core import Core
    from .downstream import Downstream
    from .heads import Heads
    from .pool import Endpoint
    from .upstream import Upstream

_TO_UPSTREAM: Final = (b"\r\nX-Cutover-Arm: stable\r\n\r\n", b"\r\nX-Cutover-Arm: canary\r\n\r\n")

#: A canary's answer to a repeatable request waits here until it is whole, if it is this small: a canary that dies
#: in the middle of it can then still be replaced by stable.
HOLD_BYTES: Final = 16 * 1024

#: Client closed before the answer, as nginx counts it.
CLIENT_GONE: Final = 499

# Failures before which nothing was sent, so that any method may be repeated.
_NOTHING_SENT: Final = frozenset(("refused", "connect_timeout", "tls", "pool", "unavailable"))


class Phase(enum.IntEnum):
    """Where an exchange stands."""

    CONNECTING = 0  # waits for a connection
    WAITING = 1  # sent (perhaps not all of its body), no answer passed on
    ANSWERING = 2  # the answer's head is with the client
    DONE = 3


CONNECTING: Final = Phase.CONNECTING
WAITING: Final = Phase.WAITING
ANSWERING: Final = Phase.ANSWERING
DONE: Final = Phase.DONE


class Exchange:
    """Made by the client connection for every request; lives until the answer is written or given up."""

    __slots__ = (
        "_by",
        "_chunked",
        "_cookie",
        "_core",
        "_held",
        "_interims",
        "_late",
        "_pieces",
        "_prefix",
        "_request_id",
        "_retried",
        "_rule",
        "_started",
        "_status",
        "arm",
        "closes",
        "down",
        "first_byte",
        "phase",
        "request",
        "tried",
        "upload",
        "upstream",
    )

    def __init__(self, core: Core, down: Downstream, heads: Heads, cookie: bytes) -> None:
        self._started = monotonic()
        self._core = core
        self.down = down
        self.request = request = heads.request
        self._prefix = heads.prefix
        self.arm = heads.arm
        self._by = heads.by
        self._rule = heads.rule
        self.first_byte = heads.first_byte
        self._request_id = request.request_id or core.random_id()
        self._cookie = cookie
        self.phase = CONNECTING
        self.upstream: Upstream | None = None
        self.upload: Upload | None = None
        self.tried: tuple[Endpoint, ...] = ()
        self._retried = False
        self._interims = 0
        self._late = 0  # LATE once it was counted as overdue
        self._status = 0
        self._pieces = 0  # passed on since `has_moved` was asked
        self._chunked = False  # the answer's body goes to the client chunked
        self._held: tuple[Response, list[bytes]] | None = None
        self.closes = False  # the client connection ends with this answer

    @property
    def body_done(self) -> bool:
        """Whether the whole request has come."""
        return self.upload is None or self.upload.done

    # Towards the upstream.

    def start(self) -> None:
        core = self._core
        if self.arm == CANARY and core.fallback and not core.pools[CANARY].is_available():
            self.arm = STABLE
            self._by = FALLBACK
        upstream = core.pools[self.arm].take(self, False)
        if upstream is not None:
            self.connected(upstream)

    def _connect(self, fresh: bool) -> None:
        self.phase = CONNECTING
        upstream = self._core.pools[self.arm].take(self, fresh)
        if upstream is not None:
            self.connected(upstream)

    def wants_connection(self) -> bool:
        return self.phase is CONNECTING

    def connected(self, upstream: Upstream) -> None:
        """The pool found a connection: send what there is."""
        self.phase = WAITING
        self.upstream = upstream
        data = self._prefix + self._request_id + _TO_UPSTREAM[self.arm]
        upload = self.upload
        if upload is None:
            upstream.begin(self, data, True)
        else:
            upstream.begin(self, data + upload.replay(self.request.idempotent), upload.done)
            self.down.update_reading()

    def feed(self, payload: bytes, done: bool) -> None:
        """More of the request's body; `done` with its last piece."""
        upload, upstream = self.upload, self.upstream
        assert upload is not None
        data = upload.add(payload, done, upstream is not None)
        if upstream is not None and data:
            upstream.send(data)

    def failed(self, error: UpstreamError, endpoint: Endpoint | None = None) -> None:
        """No connection could be had."""
        if self.phase is not CONNECTING:
            return
        if endpoint is not None:
            self.tried = (*self.tried, endpoint)
            if self._core.pools[self.arm].has_untried(self.tried):
                self._connect(False)
                return
        self._settle(error)

    def broken(self, error: UpstreamError, started: bool) -> None:
        """The upstream failed after it had the request; `started` when any byte of an answer came."""
        upstream, self.upstream = self.upstream, None
        if self.phase is ANSWERING:
            self._core.counters.error(self.arm, error.label)
            self._observe(ABORTED + self._status, monotonic())
            self.phase = DONE
            if self.request.minor == 0:
                reset_on_close(self.down.transport)
            self.down.abort()
            return
        self._held = None
        was_reused = upstream is not None and upstream.served
        if error.label == "reset" and was_reused and not started and not self._retried and self._may_repeat():
            # The upstream closed an idle connection just when we used it: no fault of either side (RFC 9112 9.3.1).
            self._retried = True
            self._core.counters.count(RETRIES + self.arm)
            self._connect(True)
            return
        self._settle(error)

    def _may_repeat(self) -> bool:
        """Whether sending the request once more is safe and possible: nobody has seen any of its answer."""
        kept = self.upload is None or self.upload.is_kept
        return self.request.idempotent and kept and not self._interims

    def _settle(self, error: UpstreamError) -> None:
        """Count a failure, then let stable answer where that is safe, else answer with the error."""
        core = self._core
        core.counters.error(self.arm, error.label)
        safe = error.label in _NOTHING_SENT or (error.label in ("reset", "truncated") and self._may_repeat())
        if self.arm == CANARY and core.fallback and safe:
            core.counters.count(FALLBACKS)
            self.arm = STABLE
            self._by = FALLBACK
            self.tried = ()
            self._retried = False
            self._connect(False)
            return
        self.refuse(error.status, error.label, str(error))

    def wait(self) -> float:
        """Seconds that the upstream has for its first byte, until something happens."""
        first_byte = self.first_byte
        if first_byte <= OVERDUE_SECONDS:
            return first_byte
        return first_byte - OVERDUE_SECONDS if self._late else OVERDUE_SECONDS

    def overdue(self) -> bool:
        """That wait is over. True when there is another one; the request counts as overdue from now on."""
        if self._late or self.first_byte <= OVERDUE_SECONDS or not self.body_done:
            return False
        self._late = LATE
        duration = int(OVERDUE_SECONDS * 1e6)
        self._core.counters.observe(self.arm, self._by, self.request.method, OVERDUE, self._rule.label, duration)
        return True

    # Towards the client.

    def answer(self, response: Response, payload: bytes, done: bool) -> None:
        """The final answer's head, what there is of its body, and whether that is all."""
        if not done and self.arm == CANARY and self._holds(response):
            self._held = (response, [payload])
            return
        request, core = self.request, self._core
        start = response.start
        closes = self.closes or core.draining or not request.keep_alive or not self.body_done
        if response.bodiless:
            payload = b""
        elif response.body < 0:
            if request.minor == 0:
                start = response.head
                closes = True
            else:
                self._chunked = True
                payload = _chunks(payload, done)
        if closes:
            start += b"Connection: close\r\n"
        elif request.minor == 0:
            start += b"Connection: keep-alive\r\n"
        self.closes = closes
        self._status = response.status
        self.phase = ANSWERING
        self._pieces = 1
        self.down.transport.write(
            b"".join(
                (
                    start,
                    b"X-Request-Id: ",
                    self._request_id,
                    core.arm_lines[self.arm],
                    self._cookie,
                    b"\r\n",
                    payload,
                )
            )
        )
        if done:
            self._finish()

    def _holds(self, response: Response) -> bool:
        return 0 < response.body <= HOLD_BYTES and self._core.fallback and self._may_repeat()

    def piece(self, payload: bytes, done: bool) -> None:
        """More of the answer's body."""
        if self._held is not None:
            response, pieces = self._held
            pieces.append(payload)
            if done:
                self._held = None
                self.answer(response, b"".join(pieces), True)
            return
        if self._chunked:
            payload = _chunks(payload, done)
        if payload and self._status != 205:
            self._pieces += 1
            self.down.transport.write(payload)
        if done:
            self._finish()

    def interim(self, response: Response) -> bool:
        """Relay a 1xx to clients that know them; False when there were too many."""
        self._interims += 1
        if self._interims > self._core.settings.limits.interim:
            return False
        if self.request.minor == 1:
            self.down.transport.write(response.head + b"\r\n")
        return True

    def switched(self, upstream: Upstream, response: Response, rest: bytes) -> None:
        """101: from here on bytes go both ways untouched; `rest` came behind the head."""
        core = self._core
        core.counters.count(UPGRADES)
        self._observe(101, monotonic())
        self.phase = DONE
        head = (response.head, b"Connection: Upgrade\r\nUpgrade: websocket\r\nX-Request-Id: ", self._request_id)
        self.down.transport.write(b"".join((*head, core.arm_lines[self.arm], self._cookie, b"\r\n", rest)))
        self.down.tunnel(upstream)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer with an error of the router's own."""
        if self.phase is ANSWERING:
            self.abandon()
            self.down.abort()
            return
        self._drop_upstream()
        self.closes = self.closes or self._core.draining or not self.request.keep_alive or not self.body_done
        self._status = status
        extra = b"X-Request-Id: " + self._request_id + self._core.arm_lines[self.arm] + self._cookie
        self.down.send_error(status, code, message, extra, self.closes, self.request.is_head)
        self._finish()

    def _finish(self) -> None:
        self.phase = DONE
        now = monotonic()
        self._observe(self._status, now)
        self.down.finished(self.closes, now)

    def has_moved(self) -> bool:
        """Whether any of the answer was passed on since this was asked last."""
        moved, self._pieces = self._pieces > 0, 0
        return moved

    def abandon(self) -> None:
        """The client is gone, or no longer worth an answer."""
        if self.phase is not DONE:
            self.phase = DONE
            self._drop_upstream()
            self._observe(CLIENT_GONE, monotonic())

    def _drop_upstream(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.close()

    def _observe(self, status: int, now: float) -> None:
        duration = int((now - self._started) * 1e6)
        self._core.counters.observe(
            self.arm, self._by, self.request.method, status + self._late, self._rule.label, duration
        )


def _chunks(payload: bytes, done: bool) -> bytes:
    data = chunk(payload) if payload else b""
    return data + LAST_CHUNK if done else data

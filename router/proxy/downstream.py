"""One client connection: reads requests one at a time, hands each to an exchange, writes what comes back.

Pipelined requests stay in the buffer as bytes until their turn, so nothing is parsed ahead, answers keep their order,
and nothing runs after an error or a close. Reading pauses when the buffer or the upstream is full.
"""

from __future__ import annotations

import asyncio
import enum
from email.utils import formatdate
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

from ..counters import ACCEPTED
from ..errors import RequestError
from ..table import GENERATION
from ..wire.answers import error_answer
from ..wire.body import BodyError
from ..wire.forwarded import is_trusted
from ..wire.request import Request
from .core import LATE_HEAD, Core
from .exchange import Exchange
from .heads import Heads
from .presence import keep_alive
from .reset import reset_on_close
from .stall import Stall, untaken
from .tunnel import Tunnel
from .upload import Incoming, Upload

if TYPE_CHECKING:
    from .upstream import Upstream

#: Bytes of further requests that may wait while one is answered.
PIPELINE_BYTES: Final = 64 * 1024
WRITE_HIGH: Final = 256 * 1024


class State(enum.IntEnum):
    """What the next byte from the client means."""

    HEAD = 0  # of a request, or of the next one
    BUSY = 1  # a request is being answered; its body, or pipelined requests
    LINGER = 2  # nothing; it is read so that our last answer isn't lost to a reset
    CLOSED = 3  # nothing; or the connection is a tunnel now


HEAD: Final = State.HEAD
BUSY: Final = State.BUSY
LINGER: Final = State.LINGER
CLOSED: Final = State.CLOSED


class Downstream:
    """A client connection; `send_error`, `finished`, `tunnel` and `abort` are for its exchange.

    An `asyncio.Protocol` by its methods; not derived from it, so that it can be compiled (accelerate.py).
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_core",
        "_eof",
        "_exchange",
        "_head_since",
        "_heads",
        "_read_paused",
        "_scheme",
        "_stall",
        "_write_paused",
        "deadline",
        "state",
        "transport",
    )

    def __init__(self, core: Core, scheme: bytes) -> None:
        self._core = core
        self._scheme = scheme
        self.state = HEAD
        self.deadline = inf
        self._buffer = b""
        self._head_since = False  # a byte of the next head has come
        self._exchange: Exchange | None = None
        self._body: Incoming | None = None
        self._eof = False
        self._read_paused = False
        self._write_paused = False
        self._stall = Stall()

    # Life of the connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        core = self._core
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_HIGH)
        peer = transport.get_extra_info("peername")
        address = peer[0] if peer else "unknown"
        self._heads = Heads(core, self._scheme, address, is_trusted(address, core.trusted))
        keep_alive(transport)
        core.clients.add(self)
        core.swept.add(self)
        core.counters.count(ACCEPTED)
        self.deadline = monotonic() + (LATE_HEAD if core.draining else core.timeouts.head)
        if len(core.clients) > core.settings.limits.connections:
            core.counters.client_error("overload")
            self.send_error(503, "overload", "too many connections", b"", True, False)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._forget()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._core.counters.client_error("gone")
            exchange.abandon()

    def _forget(self) -> None:
        self.state = CLOSED
        core = self._core
        core.clients.discard(self)
        core.swept.discard(self)
        core.stalled.discard(self)
        core.held.pop(self, None)

    def close(self) -> None:
        """Close once everything written is sent."""
        if self.state is CLOSED:
            return
        self.state = CLOSED
        self._core.swept.discard(self)
        if self.transport.get_write_buffer_size():
            self._watch_stall()
        self.transport.close()

    def abort(self) -> None:
        """Close at once: a client must not take what it has for a whole answer."""
        self._exchange = None
        self.state = CLOSED
        self.transport.abort()

    def drain(self, now: bool) -> None:
        """The worker is going away: idle connections close at once (`now`) or after their next answer."""
        if self._exchange is not None:
            self._exchange.closes = True
        elif now and self.state is HEAD and not self._buffer:
            self.close()

    def expire(self, now: float) -> None:
        if self.state is HEAD:
            if self._buffer:
                self._core.counters.client_error("head_timeout")
                self._refuse(RequestError("the request head took too long", 408, "head_timeout"))
            else:
                self.close()
        elif self._exchange is not None and self._eof and self._exchange.has_moved():
            # The client sends no more but may still read. If it is gone, bytes to it come back as a reset; an answer
            # that stays silent (an event stream may, for ever) would never find out.
            self.deadline = now + self._core.timeouts.response_idle
        elif self._exchange is not None and not self._eof:
            self._core.counters.client_error("body_timeout")
            self._exchange.refuse(408, "body_timeout", "the request body took too long")
        else:
            self.transport.abort()

    # What arrives.

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state is HEAD:
            if data == self._heads.last and not self._buffer and not self._write_paused:
                self._begin(b"")
            elif self._write_paused:
                # The client doesn't read its answers: no further request of it runs.
                self._buffer += data
                self.update_reading()
            else:
                data, self._buffer = self._buffer + data, b""
                self._read_head(data)
        elif state is BUSY:
            if self._body is None:
                self._buffer += data
                if len(self._buffer) > PIPELINE_BYTES:
                    self.update_reading()
            else:
                self._read_body(self._body, data)

    def _read_head(self, data: bytes) -> None:
        try:
            end, data = self._heads.find(data)
        except RequestError as error:
            self._refuse(error)
            return
        if end:
            self._begin(data[end:])
            return
        if data and not self._head_since:
            self._head_since = True
            self.deadline = monotonic() + self._core.timeouts.head
        self._buffer = data

    def _begin(self, rest: bytes) -> None:
        """A whole head has come; `rest` is what came behind it."""
        core, heads = self._core, self._heads
        if core.header[GENERATION] != core.generation:
            core.refresh()
        if heads.split is not core.split:
            heads.decide(core.split)
        cookie = b""
        if not heads.is_known:
            cookie = heads.draw(core.split)
        elif heads.counted != core.minute:
            heads.counted = core.minute
            core.counters.session(heads.arm, core.minute, heads.place)
        self.state = BUSY
        self.deadline = inf
        self._head_since = False
        heads.skipped = 0
        exchange = self._exchange = Exchange(core, self, heads, cookie)
        if heads.request.body == 0:
            self._buffer = rest
            if len(rest) > PIPELINE_BYTES:
                self.update_reading()
            exchange.start()
        else:
            self._begin_body(exchange, heads.request, rest)

    def _begin_body(self, exchange: Exchange, request: Request, rest: bytes) -> None:
        core = self._core
        limits = core.settings.limits
        upload = exchange.upload = Upload(request.body < 0, limits.kept_body)
        body = self._body = Incoming(request.body, core.limits, core.timeouts.body_idle, limits.body_rate)
        try:
            payload = body.feed(rest) if rest else b""
        except BodyError as error:
            core.counters.client_error("bad_request")
            exchange.refuse(400, "bad_request", str(error))
            return
        upload.add(payload, body.done, False)
        if body.done:
            self._body = None
            self._buffer = body.rest
        else:
            self.deadline = body.restart(core.now)
        exchange.start()

    def _read_body(self, body: Incoming, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        try:
            payload = body.feed(data)
        except BodyError as error:
            self._core.counters.client_error("bad_request")
            exchange.refuse(400, "bad_request", str(error))
            return
        if body.done:
            self._body = None
            self._buffer = body.rest
            self.deadline = inf
        else:
            self.deadline = body.deadline(self._core.now)
        exchange.feed(payload, body.done)
        if exchange.upstream is None:
            self.update_reading()

    def eof_received(self) -> bool:
        """The client sends no more; it may still want its answer (RFC 9112 9.6 leaves that to us)."""
        self._eof = True
        exchange = self._exchange
        if self.state is not BUSY or exchange is None or not exchange.body_done or self._scheme == b"https":
            return False
        exchange.closes = True
        self.deadline = monotonic() + self._core.timeouts.half_close
        return True

    # What the exchange asks for.

    def send_error(self, status: int, code: str, message: str, extra: bytes, close: bool, is_head: bool) -> None:
        """An answer of the router's own; `extra` are further field lines, each ended by CRLF."""
        date = formatdate(usegmt=True).encode("ascii")
        self.transport.write(error_answer(status, code, message, date, extra, close, is_head))

    def finished(self, close: bool, now: float) -> None:
        """The answer is written; on to the next request, or to the end of the connection."""
        self._exchange = None
        if self.state is not BUSY:
            return
        if close:
            self._end()
            return
        self.state = HEAD
        self.deadline = now + self._core.keep_alive
        if self._buffer or self._read_paused:
            # Not from here: a long pipeline would recurse.
            self._core.loop.call_soon(self._next)

    def _next(self) -> None:
        if self.state is HEAD and not self._write_paused:
            data, self._buffer = self._buffer, b""
            if data:
                self._read_head(data)
            self.update_reading()

    def _end(self) -> None:
        """Close after an answer. While the client may still be sending, read on for a while: closing a socket with
        unread data resets it, and the reset would destroy the answer on its way (RFC 9112 9.6)."""
        unread = self._body is not None or self._buffer
        if not unread or self._eof or not self.transport.can_write_eof():
            self.close()
            return
        self.state = LINGER
        self._buffer = b""
        self._body = None
        self.deadline = monotonic() + self._core.timeouts.linger
        self.update_reading()
        self.transport.write_eof()

    def _refuse(self, error: RequestError) -> None:
        """Answer a head that can't be forwarded, and close."""
        if error.label != "head_timeout":
            self._core.counters.client_error(error.label)
        self.send_error(error.status, error.label, str(error), b"", True, False)
        self._buffer = b"unread"
        self._end()

    def tunnel(self, upstream: Upstream) -> None:
        """Join this connection to an upstream's, for good."""
        self._exchange = None
        early, self._buffer = self._buffer, b""
        self._resume()
        self._forget()
        Tunnel(self._core, self.transport, upstream).begin(early, self._eof)

    # Flow control.

    def update_reading(self) -> None:
        """Pause or resume reading as the state of both sides asks."""
        if self.state is CLOSED or self._wants_pause() == self._read_paused:
            return
        if self._read_paused:
            self._resume()
            if self._body is not None:
                self.deadline = self._body.restart(self._core.now)
            return
        self._read_paused = True
        self._core.held[self] = self._body
        if self._body is not None:
            self.deadline = inf
        self.transport.pause_reading()

    def _resume(self) -> None:
        if self._read_paused:
            self._read_paused = False
            self._core.held.pop(self, None)
            if not self._eof:
                self.transport.resume_reading()

    def _wants_pause(self) -> bool:
        if self.state is HEAD:
            return self._write_paused and self._buffer != b""
        exchange = self._exchange
        if self.state is not BUSY or exchange is None:
            return False
        if self._body is None:
            return len(self._buffer) > PIPELINE_BYTES
        if exchange.upstream is None:
            return exchange.upload is not None and exchange.upload.is_large
        return exchange.upstream.write_paused

    def pause_writing(self) -> None:
        self._write_paused = True
        self._watch_stall()
        if self._exchange is not None and self._exchange.upstream is not None:
            self._exchange.upstream.pause_reading()

    def resume_writing(self) -> None:
        self._write_paused = False
        self._core.stalled.discard(self)
        exchange = self._exchange
        if exchange is not None and exchange.upstream is not None:
            exchange.upstream.resume_reading()
        if self.state is HEAD:
            self._next()

    def _watch_stall(self) -> None:
        core = self._core
        self._stall.begin(untaken(self.transport), core.now)
        core.stalled.add(self)

    def check_stall(self, now: float) -> None:
        """Give up on a client that takes nothing, or next to nothing, of what waits for it."""
        core, transport = self._core, self.transport
        if not transport.get_write_buffer_size():
            core.stalled.discard(self)
        elif self._stall.is_over(untaken(transport), now, core.timeouts.write_idle, core.settings.limits.body_rate):
            core.stalled.discard(self)
            core.counters.client_error("write_timeout")
            # After a FIN the kernel would go on offering what is left of megabytes, for as long as the client likes.
            reset_on_close(transport)
            transport.abort()

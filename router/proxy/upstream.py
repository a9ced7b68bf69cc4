"""One connection to an upstream: sends what an exchange gives it, reads the answer, tells the exchange.

It knows HTTP framing but no policy: whether to retry, fall back or give up is the exchange's business.
"""

from __future__ import annotations

import asyncio
import enum
import os
import re
import select
import socket
from math import inf
from typing import TYPE_CHECKING, Final, cast

from ..errors import UpstreamError
from ..wire.body import BodyError, BodyReader, ChunkedBody, LengthBody, UntilCloseBody
from ..wire.response import CHUNKED, AnswerError, Response
from .presence import keep_alive

if TYPE_CHECKING:
    from .core import Core
    from .exchange import Exchange
    from .pool import Endpoint

#: What may be buffered towards a slow peer before the other side is paused.
WRITE_HIGH: Final = 256 * 1024
_SALVAGE_BYTES: Final = 64 * 1024
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_PREFIX: Final = b"HTTP/1."


class State(enum.IntEnum):
    """What the next byte from the upstream means."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    CLOSED = 3  # or part of a tunnel


IDLE: Final = State.IDLE
HEAD: Final = State.HEAD
BODY: Final = State.BODY
CLOSED: Final = State.CLOSED


class Upstream:
    """An `asyncio.Protocol` by its methods; not derived from it, so that it can be compiled (accelerate.py).

    Created by the pool; `begin` starts a request, the exchange hears of the answer piece by piece.
    """

    __slots__ = (
        "_buffer",
        "_core",
        "_exchange",
        "_last_head",
        "_last_is_head",
        "_last_response",
        "_poll",
        "_read_paused",
        "_reader",
        "_response",
        "_salvage",
        "deadline",
        "endpoint",
        "served",
        "state",
        "transport",
        "write_paused",
    )

    _last_response: Response

    def __init__(self, core: Core, endpoint: Endpoint) -> None:
        self._core = core
        self.endpoint = endpoint
        self.state = IDLE
        self.served = False  # a request was answered on it before
        self.deadline = inf
        self.write_paused = False
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._reader: BodyReader | None = None
        self._response: Response | None = None
        self._read_paused = False
        self._salvage: socket.socket | None = None
        self._last_head = b""
        self._last_is_head = False
        self._poll: select.poll | None = None  # made once, when it is first needed

    # Life of the connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_HIGH)
        keep_alive(transport)
        self._core.swept.add(self)

    def is_quiet(self) -> bool:
        """Whether an idle connection shows no sign of closing; asked before a request that can't be repeated."""
        if self.transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)
        return not self._poll.poll(0)

    def begin(self, exchange: Exchange, data: bytes, whole: bool) -> None:
        """Send a request's head and what there is of its body; `whole` when nothing follows."""
        self._exchange = exchange
        self.state = HEAD
        self.deadline = self._core.now + (exchange.wait() if whole else exchange.first_byte)
        self.transport.write(data)
        if not whole:
            # A write that fails in mid-upload drops the socket with the answer that explains why still in it; a
            # second handle on it lets us read that answer (rule B3).
            self._salvage = socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno()))

    def send(self, data: bytes) -> None:
        """More of the request's body."""
        exchange = self._exchange
        if exchange is not None and self.state is HEAD:
            self.deadline = self._core.now + (exchange.wait() if exchange.body_done else exchange.first_byte)
        self.transport.write(data)

    def close(self) -> None:
        """Drop the connection, whatever it does; the exchange isn't told."""
        if self.state is CLOSED:
            return
        was_busy = self.state is not IDLE
        self.state = CLOSED
        self._exchange = None
        self._core.swept.discard(self)
        if self._salvage is not None:
            self._salvage.close()
            self._salvage = None
        self.transport.abort()
        self._core.pools[self.endpoint.pool.arm].lost(self, was_busy)

    def expire(self, now: float) -> None:
        exchange, answering = self._exchange, self.state is BODY
        if exchange is not None and self.state is HEAD and exchange.overdue():
            self.deadline += exchange.wait()
            return
        self.close()
        if exchange is not None:
            if answering:
                exchange.broken(UpstreamError("upstream fell silent in its answer", "idle_timeout", 504), True)
            else:
                exchange.broken(UpstreamError("upstream did not answer in time", "timeout", 504), bool(self._buffer))

    # Flow control.

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._exchange is not None:
            self._exchange.down.update_reading()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._exchange is not None:
            self._exchange.down.update_reading()

    def pause_reading(self) -> None:
        if not self._read_paused and self.state is not CLOSED:
            self._read_paused = True
            self.deadline = inf
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._read_paused:
            self._read_paused = False
            if self.state is not CLOSED:
                self.transport.resume_reading()
                if self.state is BODY:
                    self._set_silence()

    # What arrives.

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state is HEAD:
            if self._buffer:
                data = self._buffer + data
                self._buffer = b""
            self._read_head(data)
        elif state is BODY:
            self._read_body(data)
        else:
            self.close()  # unasked bytes: nothing that follows can be attributed (RFC 9112 9.2)

    def _read_head(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        last = self._last_head
        is_head = exchange.request.is_head
        # Servers answer with the same head again and again, within a second even with the same Date.
        if last and data.startswith(last) and is_head is self._last_is_head:
            response = self._last_response
            rest = data[len(last) :]
        else:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._wait_head(data)
                return
            head = data[:end]
            try:
                response = self._core.responses.parse(head, is_head)
            except AnswerError as error:
                self._break(UpstreamError(f"upstream's answer is malformed: {error}", "bad_response"), True)
                return
            rest = data[end:]
            self._last_head, self._last_is_head, self._last_response = head, is_head, response
        if response.status < 200:
            self._interim(response, rest)
        elif len(rest) == response.body:
            self._complete(response)
            exchange.answer(response, rest, True)
        else:
            self._begin_body(response, rest)

    def _wait_head(self, data: bytes) -> None:
        start = data[: len(_PREFIX)]
        if len(data) > self._core.limits.head or start != _PREFIX[: len(start)] or _BARE_LF.search(data):
            self._break(UpstreamError("upstream's answer is malformed", "bad_response"), True)
        else:
            self._buffer = data

    def _interim(self, response: Response, rest: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        if response.status == 101:
            if not (exchange.request.upgrades and response.upgrades):
                self._break(UpstreamError("upstream switched protocols unasked", "bad_response"), True)
                return
            self.state = CLOSED
            self._core.swept.discard(self)
            exchange.upstream = self._exchange = None
            exchange.switched(self, response, rest)
            return
        if not exchange.interim(response):
            self._break(UpstreamError("upstream sent too many interim answers", "bad_response"), True)
        elif rest:
            self._read_head(rest)

    def _begin_body(self, response: Response, rest: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        reader: BodyReader
        if response.body == CHUNKED:
            reader = ChunkedBody(self._core.limits)
        elif response.body >= 0:
            reader = LengthBody(response.body)
        else:
            reader = UntilCloseBody()
        try:
            payload = reader.feed(rest) if rest else b""
        except BodyError as error:
            self._break(UpstreamError(f"upstream's answer is malformed: {error}", "bad_response"), True)
            return
        if reader.done and reader.rest:
            self._break(UpstreamError("upstream sent bytes after its answer", "bad_response"), True)
            return
        if reader.done:
            self._complete(response)
        else:
            self.state = BODY
            self._reader = reader
            self._response = response
            self._set_silence()
        exchange.answer(response, payload, reader.done)

    def _read_body(self, data: bytes) -> None:
        exchange, reader, response = self._exchange, self._reader, self._response
        assert exchange is not None
        assert reader is not None
        assert response is not None
        try:
            payload = reader.feed(data)
        except BodyError as error:
            self._break(UpstreamError(f"upstream's answer is malformed: {error}", "bad_response"), True)
            return
        if reader.done:
            if reader.rest:
                # The answer itself is whole; what follows it makes the connection unusable.
                exchange.upstream = self._exchange = None
                self.close()
            else:
                self._complete(response)
        elif not self._read_paused:
            self._set_silence()
        exchange.piece(payload, reader.done)

    def _set_silence(self) -> None:
        response = self._response
        streams = response is not None and response.streams
        self.deadline = inf if streams else self._core.now + self._core.timeouts.response_idle

    def _complete(self, response: Response) -> None:
        """The answer has ended: back to the pool, or closed when either side can't take another request.

        The exchange lets go first: what its client does from now on must not touch this connection.
        """
        exchange = self._exchange
        assert exchange is not None
        exchange.upstream = self._exchange = None
        self._reader = None
        self._response = None
        if self._read_paused:
            self.resume_reading()
        if response.keep_alive and not self.write_paused and (exchange.upload is None or exchange.upload.done):
            self.served = True
            if self._salvage is not None:
                self._salvage.close()
                self._salvage = None
            self.endpoint.pool.release(self)
        else:
            self.close()

    # Ends.

    def eof_received(self) -> bool:
        self._ended(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._ended(error)

    def _ended(self, error: Exception | None) -> None:
        state, exchange = self.state, self._exchange
        if state is CLOSED:
            return
        if state is HEAD and self._salvage is not None and self._read_salvage():
            return
        self.close()
        if exchange is None:
            return
        if state is BODY:
            if isinstance(self._reader, UntilCloseBody) and error is None:
                exchange.piece(b"", True)
            else:
                exchange.broken(UpstreamError("upstream's answer ended too early", "truncated"), True)
        elif state is HEAD:
            exchange.broken(UpstreamError("upstream closed without an answer", "reset"), bool(self._buffer))

    def _read_salvage(self) -> bool:
        """Read an answer left in the socket of a connection that failed; True when that settled the exchange."""
        salvage, self._salvage = self._salvage, None
        assert salvage is not None
        data = b""
        try:
            salvage.setblocking(False)
            data = salvage.recv(_SALVAGE_BYTES)
        except OSError:
            pass
        salvage.close()
        if not data:
            return False
        self.data_received(data)
        return self.state is not HEAD

    def _break(self, error: UpstreamError, started: bool) -> None:
        exchange = self._exchange
        self.close()
        if exchange is not None:
            exchange.broken(error, started)

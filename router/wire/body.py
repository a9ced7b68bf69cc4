"""Message bodies: readers that cut a byte stream into payload and rest, and the chunked coding we write.

A reader is fed whatever arrived and gives back payload without any framing, so that what goes on is framed anew
(RFC 9112 7.1): chunk extensions and trailers end here.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from .fields import FieldError, HeadLimits, check_fields

_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_CHUNK_LINE_BEGINS: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,15}(?:[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?)?)?\r?")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
#: One chunk-size line, and all extensions of a message together: nobody needs them, attackers do.
CHUNK_LINE_MAX: Final = 4 * 1024
EXTENSIONS_MAX: Final = 16 * 1024

LAST_CHUNK: Final = b"0\r\n\r\n"


class BodyError(ValueError):
    """The body's framing is broken; nothing after this point can be trusted."""


def chunk(payload: bytes) -> bytes:
    """One chunk; `payload` isn't empty, because an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


class BodyReader(Protocol):
    """`feed` returns payload; after the body's end `done` is set and `rest` holds what came behind it."""

    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes: ...


class LengthBody:
    """A body of Content-Length bytes."""

    __slots__ = ("done", "left", "rest")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        left = self.left - len(data)
        if left > 0:
            self.left = left
            return data
        self.done = True
        payload = data if left == 0 else data[: self.left]
        if left < 0:
            self.rest = data[self.left :]
        self.left = 0
        return payload


class UntilCloseBody:
    """A body that ends with the connection (RFC 9112 6.3, rule 8)."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        return data


# What the next bytes of a chunked body must be.
_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3


class ChunkedBody:
    """A chunked body; its state is what the next bytes must be."""

    __slots__ = ("_buffer", "_extensions", "_left", "_limits", "_state", "done", "rest")

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._state = _SIZE
        self._buffer = b""
        self._left = 0
        self._extensions = 0
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        payload: list[bytes] = []
        position = 0
        while not self.done:
            following = self._step(data, position, payload)
            if following < 0:
                self._buffer = data[position:]
                break
            position = following
        if self.done:
            self.rest = data[position:]
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def _step(self, data: bytes, position: int, payload: list[bytes]) -> int:
        """Read one element at `position`; the position behind it, or -1 when it hasn't all arrived."""
        if self._state == _SIZE:
            return self._read_size(data, position)
        if self._state == _DATA:
            piece = data[position : position + self._left]
            if not piece:
                return -1
            payload.append(piece)
            self._left -= len(piece)
            if self._left == 0:
                self._state = _DATA_END
            return position + len(piece)
        if self._state == _DATA_END:
            if data[position : position + 2] != b"\r\n"[: len(data) - position]:
                raise BodyError("chunk is longer than its size")
            if len(data) - position < 2:
                return -1
            self._state = _SIZE
            return position + 2
        return self._read_trailers(data, position)

    def _read_size(self, data: bytes, position: int) -> int:
        end = data.find(b"\r\n", position, position + CHUNK_LINE_MAX)
        if end < 0:
            self._check_partial(data, position)
            return -1
        match = _CHUNK_LINE.fullmatch(data, position, end)
        if match is None:
            raise BodyError("malformed chunk size")
        if match[2]:
            self._extensions += len(match[2])
            if self._extensions > EXTENSIONS_MAX:
                raise BodyError("too many chunk extension bytes")
        self._left = int(match[1], 16)
        self._state = _DATA if self._left else _TRAILERS
        return end + 2

    def _check_partial(self, data: bytes, position: int) -> None:
        """Refuse at once what no further byte can mend."""
        if len(data) - position >= CHUNK_LINE_MAX:
            raise BodyError("chunk size line is too long")
        if _CHUNK_LINE_BEGINS.fullmatch(data, position) is None:
            raise BodyError("malformed chunk size")

    def _read_trailers(self, data: bytes, position: int) -> int:
        if data.startswith(b"\r\n", position):
            self.done = True
            return position + 2
        end = data.find(b"\r\n\r\n", position)
        if end < 0:
            if len(data) - position > self._limits.head:
                raise BodyError("trailer section is too long")
            if _BARE_LF.search(data, position):
                raise BodyError("trailer line ended by a bare LF")
            return -1
        if end + 4 - position > self._limits.head:
            raise BodyError("trailer section is too long")
        try:
            check_fields(b"\r\n" + data[position:end], self._limits, 0, end - position + 2)
        except FieldError as error:
            raise BodyError(f"trailer: {error}") from None
        self.done = True
        return end + 4

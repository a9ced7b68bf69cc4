"""The body of a request: how it comes in (`Incoming`), and how it goes on and may be sent once more (`Upload`)."""

from __future__ import annotations

from ..wire.body import LAST_CHUNK, BodyReader, ChunkedBody, LengthBody, chunk
from ..wire.fields import HeadLimits


class Incoming:
    """Reads a body and says until when its next piece must have come.

    Silence ends a body, and so does an average below the minimum rate, counted anew after every pause of ours.
    """

    __slots__ = ("_bytes", "_idle", "_rate", "_reader", "_since")

    def __init__(self, length: int, limits: HeadLimits, idle: float, rate: int) -> None:
        """`length` is -1 for a chunked body; `idle` in seconds, `rate` in bytes/s or 0 for none."""
        self._reader: BodyReader = LengthBody(length) if length >= 0 else ChunkedBody(limits)
        self._idle = idle
        self._rate = rate
        self._bytes = 0
        self._since = 0.0

    @property
    def done(self) -> bool:
        return self._reader.done

    @property
    def missing(self) -> int:
        """Bytes that must still come; of a chunked body only that there are some is known."""
        reader = self._reader
        return reader.left if isinstance(reader, LengthBody) else 1

    @property
    def rest(self) -> bytes:
        """What came behind the body's end."""
        return self._reader.rest

    def feed(self, data: bytes) -> bytes:
        """Payload in `data`; raises `BodyError`."""
        self._bytes += len(data)
        return self._reader.feed(data)

    def restart(self, now: float) -> float:
        """Begin to measure the rate; returns the deadline."""
        self._since = now
        self._bytes = 0
        return self.deadline(now)

    def deadline(self, now: float) -> float:
        """When to give up unless more comes."""
        deadline = now + self._idle
        if self._rate:
            deadline = min(deadline, self._since + self._idle + self._bytes / self._rate)
        return deadline


class Upload:
    """Payload so far. Kept whole until it is sent, and after that as long as it is small and may be needed again."""

    __slots__ = ("_chunked", "_keep_bytes", "_kept", "done", "size")

    def __init__(self, chunked: bool, keep_bytes: int) -> None:
        self._chunked = chunked
        self._keep_bytes = keep_bytes
        self._kept: list[bytes] | None = []
        self.size = 0
        self.done = False

    @property
    def is_kept(self) -> bool:
        """Whether all of it is still here."""
        return self._kept is not None

    @property
    def is_large(self) -> bool:
        """Whether it is more than is kept of a body that is being sent."""
        return self.size > self._keep_bytes

    def add(self, payload: bytes, done: bool, sending: bool) -> bytes:
        """Take another piece; returns it framed, for an upstream that has the ones before (`sending`)."""
        self.done = done
        self.size += len(payload)
        if self._kept is not None:
            if sending and self.size > self._keep_bytes:
                self._kept = None
            elif payload:
                self._kept.append(payload)
        return self._frame(payload)

    def replay(self, keep: bool) -> bytes:
        """Everything so far, framed, for an upstream that has nothing yet; `keep` it if a repeat would be allowed."""
        assert self._kept is not None
        data = self._frame(b"".join(self._kept))
        if not keep or self.is_large:
            self._kept = None
        return data

    def _frame(self, payload: bytes) -> bytes:
        if not self._chunked:
            return payload
        data = chunk(payload) if payload else b""
        return data + LAST_CHUNK if self.done else data

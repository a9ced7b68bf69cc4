"""The body of a request on its way upstream, and the copy that lets a request be sent once more."""

from __future__ import annotations

from ..wire.body import LAST_CHUNK, chunk


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

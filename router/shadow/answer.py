"""One arm's answer as the comparison takes it: bounded, with a digest of what didn't fit."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

#: Bodies over this are compared by status, type and digest.
BODY_CAP = 1 << 20
#: A compressed body is unpacked up to this; one that is larger is compared as it came.
_UNPACKED = 16 * BODY_CAP
#: zlib's window bits: gzip has 16 added; "deflate" is zlib's format (RFC 9110, 8.4.1.2).
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` are lower-case names in order; `body` the first bytes, `length` and `digest` those of the whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: int
    digest: str

    @property
    def whole(self) -> bool:
        return len(self.body) == self.length

    def header(self, name: str) -> str:
        """All lines of a header joined by commas (RFC 9110, 5.3); empty when there is none."""
        return ", ".join(value for each, value in self.headers if each == name)

    def unpacked(self) -> bytes | None:
        """The body without its content coding; None when that coding is unknown, broken or unpacks to too much."""
        coding = self.header("content-encoding").strip().lower()
        if coding in ("", "identity") or not self.body:
            return self.body
        if coding not in _WINDOW_BITS:
            return None
        unpacker = zlib.decompressobj(_WINDOW_BITS[coding])
        try:
            body = unpacker.decompress(self.body, _UNPACKED)
        except zlib.error:
            return None
        return body if unpacker.eof else None


class Body:
    """Takes a body in pieces and keeps no more than `cap` bytes of it."""

    __slots__ = ("_cap", "_digest", "_kept", "_length")

    def __init__(self, cap: int = BODY_CAP) -> None:
        self._cap = cap
        self._digest = hashlib.sha256()
        self._kept = bytearray()
        self._length = 0

    def add(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._length += len(piece)
        self._kept += piece[: self._cap - len(self._kept)]

    def answer(self, status: int, headers: Iterable[tuple[str, str]]) -> Answer:
        lowered = tuple((name.lower(), value) for name, value in headers)
        return Answer(status, lowered, bytes(self._kept), self._length, self._digest.hexdigest())


def answer(status: int, headers: Iterable[tuple[str, str]], body: bytes, cap: int = BODY_CAP) -> Answer:
    """An answer whose body is at hand."""
    kept = Body(cap)
    kept.add(body)
    return kept.answer(status, headers)

"""A raw client: sends exactly the given bytes in the given segments and reads answers strictly.

Every wait has a deadline that only guards against hangs. It doesn't know what a case expects.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterable

from tests.conformance.reading import Message, Reader
from tests.conformance.upstream import HANG

# No event tells that the router has read a byte from its socket, so a split sender pauses for this long after each.
GAP = 0.0002
# Inputs longer than this are split only around their line ends and at an even sample.
SPLIT_ALL = 400


class Client:
    """One connection to the router."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> None:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(HANG)
        try:
            sock.connect(("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = tls.wrap_socket(sock, server_hostname="localhost") if tls else sock
        self.address: tuple[str, int] = self.sock.getsockname()
        self.was_reset = False
        self._buffer = b""
        self._ended = False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *segments: bytes) -> Client:
        """Send each segment on its own. A router that already closed is no failure here: its answer is read next."""
        try:
            for number, segment in enumerate(segments):
                if number:
                    time.sleep(GAP)
                self.sock.sendall(segment)
        except ConnectionError:
            pass
        return self

    def finish(self) -> None:
        """Half-close: FIN, but go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def answer(self, method: bytes = b"GET") -> Message:
        """Read one final answer (with the interim ones before it); incomplete if the connection ended first."""
        reader = Reader(method)
        found = reader.feed(self._buffer) if self._buffer else None
        while found is None:
            found = reader.feed(self._receive())
        self._buffer = reader.rest
        return found

    def until(self, mark: bytes) -> bytes:
        """Raw bytes up to and including `mark`."""
        while mark not in self._buffer:
            piece = self._receive()
            assert piece, f"connection ended before {mark!r}: {self._buffer[:500]!r}"
            self._buffer += piece
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            piece = self._receive()
            assert piece, f"connection ended after {len(self._buffer)} of {count} bytes"
            self._buffer += piece
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def rest(self) -> bytes:
        """All that comes until the router closes; a router that keeps the connection fails as a TimeoutError."""
        pieces = [self._buffer]
        while piece := self._receive():
            pieces.append(piece)
        self._buffer = b""
        return b"".join(pieces)

    def _receive(self) -> bytes:
        if self._ended:
            return b""
        try:
            piece = self.sock.recv(262144)
        except ConnectionError:
            self.was_reset = True
            piece = b""
        self._ended = not piece
        return piece


def split(data: bytes) -> list[bytes]:
    """`data` byte by byte; long data at every place around a CR, LF or colon and at an even sample of the others."""
    if len(data) <= SPLIT_ALL:
        return [data[at : at + 1] for at in range(len(data))]
    places = set(range(0, len(data), max(1, len(data) // 100)))
    marks = [at for at, byte in enumerate(data) if byte in b"\r\n"]
    step = max(1, len(marks) // 150)
    for at in marks[::step]:
        places.update((at, at + 1))
    return _cut(data, sorted(places - {0}))


def _cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    pieces, start = [], 0
    for place in places:
        if start < place < len(data):
            pieces.append(data[start:place])
            start = place
    pieces.append(data[start:])
    return pieces

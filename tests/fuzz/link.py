"""What a case leaves behind, and one connection from the router to the upstream that reads requests as h11 does."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field

import h11


class Failure(AssertionError):
    """The router broke an invariant."""


@dataclass
class Served:
    """A request that the upstream read whole; its answer begins at `start` of what its connection was sent."""

    method: bytes
    connection: int
    start: int
    end: int | None = None
    """How much the connection had been sent when the router used it again; None when it didn't."""


@dataclass
class Result:
    """Everything that came out of one case."""

    saw: bytes = b""
    """All that the client received until the router closed."""
    was_reset: bool = False
    """Whether that end was a reset."""
    received: list[bytes] = field(default_factory=list)
    """What each upstream connection received, barriers excluded."""
    answered: list[bytes] = field(default_factory=list)
    """What each of those connections was sent, as far as it was sent."""
    served: list[Served] = field(default_factory=list)


class Link:
    """One connection from the router to the upstream."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = bytearray()
        self.sent = bytearray()
        self.pending: list[bytes] = []
        self.ended = False
        self.upgrades = False
        self.last: Served | None = None
        self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
        self._request: h11.Request | None = None

    def feed(self, data: bytes) -> list[h11.Request]:
        """Whole requests in what came, as h11 reads it; `Failure` where it can't."""
        self.data += data
        whole: list[h11.Request] = []
        if self.upgrades and b" 101 " in self.sent:
            return whole  # a tunnel's bytes
        try:
            self._reader.receive_data(data)
            while True:
                event = self._reader.next_event()
                if isinstance(event, h11.Request):
                    self._request = event
                elif isinstance(event, h11.EndOfMessage):
                    assert self._request is not None
                    whole.append(self._request)
                    rest = self._reader.trailing_data[0]
                    self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
                    self._request = None
                    if rest:
                        self._reader.receive_data(rest)
                elif not isinstance(event, h11.Data):
                    return whole
        except h11.RemoteProtocolError as error:
            raise Failure(f"h11 refuses what the upstream received: {error}: {bytes(self.data[-3000:])!r}") from error

    def shut(self) -> None:
        """FIN: the upstream has said all it has to say."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def use(self, served: Served | None) -> None:
        """Another request comes over this connection; `served` unless it is a barrier."""
        if self.last is not None:
            self.last.end = len(self.sent)
        self.last = served

    @property
    def between(self) -> bool:
        """Whether all that came are whole requests."""
        return self._request is None and not self._reader.trailing_data[0]

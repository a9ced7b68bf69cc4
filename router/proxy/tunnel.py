"""After 101: two connections joined, bytes both ways untouched, back-pressure and half-closes passed on (RFC 9110 7.8).

There are no timers: a WebSocket may be silent for days. Dead peers are found by TCP keep-alive, and a draining worker
ends its tunnels when its time is over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .core import Core
    from .upstream import Upstream


class Tunnel:
    """A client's and an upstream's connection; takes over both transports from their protocols."""

    __slots__ = ("_core", "_upstream", "client", "upstream")

    def __init__(self, core: Core, client: asyncio.Transport, upstream: Upstream) -> None:
        self._core = core
        self._upstream = upstream
        self.client = End(self, client)
        self.upstream = End(self, upstream.transport)
        self.client.peer = self.upstream
        self.upstream.peer = self.client
        core.tunnels.add(self)
        for end in (self.client, self.upstream):
            end.transport.set_protocol(cast(asyncio.Protocol, end))

    def begin(self, early: bytes, client_eof: bool) -> None:
        """Send the upstream what the client has sent already, its end included."""
        if early:
            self.upstream.transport.write(early)
        if client_eof:
            self.client.eof_received()

    def ended(self) -> None:
        """One of the connections is gone: the other follows when what it was sent is through."""
        if self in self._core.tunnels:
            self._core.tunnels.discard(self)
            self.client.transport.close()
            self.upstream.transport.close()
            self._upstream.endpoint.pool.lost(self._upstream, True)

    def abort(self) -> None:
        self.client.transport.abort()
        self.upstream.transport.abort()


class End:
    """One side of a tunnel, an `asyncio.Protocol` by its methods."""

    __slots__ = ("_eof", "_tunnel", "peer", "transport")

    peer: End

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport) -> None:
        self._tunnel = tunnel
        self.transport = transport
        self._eof = False

    def data_received(self, data: bytes) -> None:
        self.peer.transport.write(data)

    def eof_received(self) -> bool:
        self._eof = True
        if self.peer._eof or not self.peer.transport.can_write_eof():
            return False
        self.peer.transport.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._tunnel.ended()

    def pause_writing(self) -> None:
        self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer.transport.resume_reading()

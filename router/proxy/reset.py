"""Ending a connection with a reset, where an orderly end would tell the peer something false."""

from __future__ import annotations

import asyncio
import socket
import struct

#: struct linger: on, 0 s.
_NO_LINGER = struct.pack("ii", 1, 0)


def reset_on_close(transport: asyncio.Transport) -> None:
    """Let the end of this connection be RST, not FIN. To an HTTP/1.0 client a body without a length ends where its
    connection does (RFC 9112 6.3, rule 8), so after a FIN it would take what it has for the whole answer."""
    found = transport.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

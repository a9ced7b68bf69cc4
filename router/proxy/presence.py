"""Whether a peer that we don't read from is still there. Only reading tells a protocol so; the kernel knows earlier.

Asked at every sweep of clients that are held back, because their upstream takes nothing: without it an abandoned upload
would keep its upstream busy until a timer ends it.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from asyncio import BaseTransport

#: Decrypted or undecrypted bytes that asyncio's and uvloop's TLS may hold before they pause the socket: one read more
#: than their high-water mark, 256 KiB each.
_TLS_AHEAD = 512 * 1024


def keep_alive(transport: BaseTransport) -> None:
    """Let the kernel find out that an idle peer is gone for good."""
    found = transport.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def has_left(transport: BaseTransport, missing: int) -> bool:
    """Whether a paused connection was reset, or its client closed it without `missing` bytes of its request.

    A client that sent all it promised may close its sending side and wait for the answer (RFC 9112 9.6).
    """
    fd = transport.get_extra_info("socket").fileno()
    poll = select.poll()
    poll.register(fd, select.POLLRDHUP)
    events = poll.poll(0)
    if not events:
        return False
    if events[0][1] & (select.POLLERR | select.POLLHUP):
        return True
    (unread,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    ahead = _TLS_AHEAD if transport.get_extra_info("sslcontext") is not None else 0
    return bool(unread + ahead < missing)

"""The listening sockets: opened by the supervisor, one SO_REUSEPORT socket a worker slot, inherited by workers."""

from __future__ import annotations

import errno
import socket

from .config import parse_listen
from .errors import ConfigError

#: Connections the kernel keeps for a socket while its worker is busy or being replaced (capped by net.core.somaxconn).
BACKLOG = 4096


def open_listeners(address: str, count: int, adopted: list[socket.socket]) -> list[socket.socket]:
    """At least `count` sockets listening on `address`, the adopted ones first; `ConfigError` when that can't be.

    More adopted ones than `count` are all kept: closing one would reset the connections that wait in it.
    """
    sockets = list(adopted)
    if not sockets:
        _check_free(address)
    while len(sockets) < count:
        place = sockets[0].getsockname()[:2] if sockets else None
        sockets.append(_open(address, place))
    return sockets


def _check_free(address: str) -> None:
    """SO_REUSEPORT would let us share a port with another router of this user without anyone noticing."""
    probe = _bind(address, None, shared=False)
    probe.close()


def _open(address: str, place: tuple[str, int] | None) -> socket.socket:
    listener = _bind(address, place, shared=True)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def _bind(address: str, place: tuple[str, int] | None, shared: bool) -> socket.socket:
    host, port = place or parse_listen(address)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, target = sorted(found, key=lambda entry: entry[0] != socket.AF_INET6)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if not host else 1)
            listener.bind(target)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise ConfigError(f"--listen {address}: {reason}; stop it or choose another address") from None
    return listener

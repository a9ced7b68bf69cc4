"""What the kernel says of clients that aren't read from; over real TCP, because that is what is asked about."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterator

import pytest

from router.proxy.presence import has_left

SENT = 1000


class Paused(asyncio.Transport):
    """A connection that nobody reads from."""

    def __init__(self, sock: socket.socket, secure: bool = False) -> None:
        super().__init__({"socket": sock, "sslcontext": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if secure else None})


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(the client's end, ours); `SENT` bytes lie unread in ours."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        with ours:
            client.sendall(b"x" * SENT)
            assert ours.recv(SENT, socket.MSG_PEEK | socket.MSG_WAITALL)
            yield client, ours


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def stay(client: socket.socket) -> None:
    pass


@pytest.mark.parametrize(
    ("leave", "missing", "left"),
    [
        (stay, SENT + 1, False),
        (reset, SENT, True),
        (reset, 0, True),
        (socket.socket.close, SENT + 1, True),
        (socket.socket.close, SENT, False),  # it may be all that was promised, and a wait for the answer
        (socket.socket.close, 0, False),
    ],
)
def test_has_left(
    pair: tuple[socket.socket, socket.socket], leave: Callable[[socket.socket], None], missing: int, left: bool
) -> None:
    client, ours = pair
    leave(client)
    assert has_left(Paused(ours), missing) is left


@pytest.mark.parametrize(("missing", "left"), [(SENT + 512 * 1024 + 1, True), (SENT + 512 * 1024, False)])
def test_tls_may_hold_a_part_of_it(pair: tuple[socket.socket, socket.socket], missing: int, left: bool) -> None:
    client, ours = pair
    client.close()
    assert has_left(Paused(ours, secure=True), missing) is left

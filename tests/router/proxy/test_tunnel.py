"""After a 101: bytes untouched both ways, half-closes, back-pressure, and who is told of the end."""

from __future__ import annotations

from router.table import STABLE
from tests.router.proxy.fakes import Peer, Wire, get

UPGRADE = get(b"/ws", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def tunnel(wire: Wire, early: bytes = b"") -> tuple[Peer, Peer]:
    client = wire.client()
    upstream = await wire.ask(client, UPGRADE)
    if early:
        client.send(early)
    upstream.read()
    upstream.send(SWITCH + b"hello")
    await wire.settle()
    assert client.read().startswith(b"HTTP/1.1 101 ")
    return client, upstream


async def test_bytes_go_both_ways(wire: Wire) -> None:
    client, upstream = await tunnel(wire, b"early")
    assert upstream.read() == b"early"
    client.send(b"\x00GET")
    upstream.send(b"HTTP/1.1 500 x\r\n\r\n")
    assert (upstream.got, client.got) == (b"\x00GET", b"HTTP/1.1 500 x\r\n\r\n")


async def test_a_half_close_is_passed_on(wire: Wire) -> None:
    client, upstream = await tunnel(wire)
    client.end()
    assert upstream.ended
    upstream.send(b"still")
    assert client.got == b"still"
    assert not client.is_closing()
    upstream.end()
    await wire.settle()
    assert client.closed
    assert upstream.closed


async def test_the_end_of_one_is_the_end_of_both(wire: Wire) -> None:
    client, upstream = await tunnel(wire)
    pool = wire.core.pools[STABLE]
    assert (len(wire.core.tunnels), pool.busy) == (1, 1)
    client.leave()
    await wire.settle()
    assert upstream.closed
    assert (len(wire.core.tunnels), pool.busy) == (0, 0)


async def test_a_slow_side_pauses_the_other(wire: Wire) -> None:
    client, upstream = await tunnel(wire)
    client.takes = False
    upstream.send(b"x" * 300_000)
    assert not upstream.reads
    client.take(client.waiting)
    assert upstream.reads


async def test_an_unasked_switch_is_refused(wire: Wire) -> None:
    client = wire.client()
    (await wire.ask(client, get())).send(SWITCH)
    await wire.settle()
    assert client.got.startswith(b"HTTP/1.1 502 ")
    assert not wire.core.tunnels

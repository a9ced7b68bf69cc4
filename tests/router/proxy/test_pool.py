"""Connections of an arm: which one a request gets, who waits, what failed connects and quiet closes do."""

from __future__ import annotations

import asyncio

import pytest

from router.table import CANARY, STABLE
from tests.router.proxy.fakes import CANARY_PORT, STABLE_PORT, MakeWire, Peer, Wire, get, ok, post

REFUSED = ConnectionRefusedError()


async def ask_all(wire: Wire, number: int) -> list[Peer]:
    """As many clients, each with a request on its way."""
    clients = [wire.client() for _ in range(number)]
    for client in clients:
        client.send(get())
    await wire.settle()
    return clients


# Which connection.


async def test_the_newest_idle_connection_is_taken(wire: Wire) -> None:
    await ask_all(wire, 2)
    for upstream in wire.upstreams:
        upstream.read()
        upstream.send(ok())
    await wire.settle()
    client = wire.client()
    assert await wire.ask(client, get()) is wire.upstreams[1]
    assert len(wire.upstreams) == 2


async def test_idle_connections_age_out(wire: Wire) -> None:
    await wire.serve(wire.client(), get(), ok())
    assert wire.core.pools[STABLE].idle == 1
    await wire.later(4.5)
    assert wire.upstream.closed
    assert wire.core.pools[STABLE].idle == 0


@pytest.mark.parametrize("what", ["byte", "end", "loss"])
async def test_an_idle_connection_that_stirs_is_dropped(wire: Wire, what: str) -> None:
    client = wire.client()
    await wire.serve(client, get(), ok())
    first = wire.upstream
    if what == "byte":
        first.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    elif what == "end":
        first.end()
    else:
        first.leave()
    await wire.settle()
    assert first.closed
    assert wire.core.pools[STABLE].idle == 0
    _, answer = await wire.serve(client, get(), ok(b"good"))
    assert answer.endswith(b"good")
    assert wire.upstream is not first
    assert not wire.errors()


async def test_what_cannot_be_repeated_goes_to_a_quiet_connection(wire: Wire) -> None:
    """Its end waits in the socket, unread by the loop: a GET would be repeated, a POST would be lost."""
    client = wire.client()
    await wire.serve(client, get(), ok())
    first = wire.upstream
    first.far.close()
    seen, answer = await wire.serve(client, post(b"once"), ok(b"got"))
    assert seen.endswith(b"once")
    assert answer.endswith(b"got")
    assert first.closed
    assert len(wire.upstreams) == 2


async def test_a_connection_that_nobody_wants_any_more_is_kept(wire: Wire) -> None:
    gate = asyncio.Event()
    wire.outcomes[STABLE_PORT] = [gate]
    (client,) = await ask_all(wire, 1)
    client.leave()
    gate.set()
    await wire.settle()
    assert not wire.upstream.got
    assert await wire.ask(wire.client(), get()) is wire.upstream
    assert wire.attempts == [STABLE_PORT]


# Which endpoint.


async def test_the_least_busy_endpoint_is_taken(make_wire: MakeWire) -> None:
    wire = make_wire(stable=3)
    await ask_all(wire, 6)
    assert sorted(wire.attempts) == [1001, 1001, 1002, 1002, 1003, 1003]
    freed = wire.upstreams[wire.attempts.index(1002)]
    for upstream in wire.upstreams:
        upstream.read()
    freed.send(ok())
    await wire.settle()
    assert await wire.ask(wire.client(), get()) is freed


async def test_a_tie_takes_turns(make_wire: MakeWire) -> None:
    wire = make_wire(stable=2)
    client = wire.client()
    for _ in range(4):
        await wire.serve(client, get(), ok())
    assert sorted(wire.attempts) == [1001, 1002]


async def test_an_endpoint_that_is_down_gets_nothing(make_wire: MakeWire) -> None:
    wire = make_wire(stable=2)
    wire.table.set_up(STABLE, [False, True])
    await ask_all(wire, 4)
    assert wire.attempts == [1002] * 4


async def test_when_all_are_down_any_is_tried(make_wire: MakeWire) -> None:
    wire = make_wire(stable=2)
    wire.table.set_up(STABLE, [False, False])
    await ask_all(wire, 4)
    assert sorted(set(wire.attempts)) == [1001, 1002]


async def test_a_refused_request_tries_the_other_endpoints(make_wire: MakeWire) -> None:
    wire = make_wire(stable=3)
    for port in (1001, 1002, 1003):
        wire.outcomes[port] = [REFUSED]
    client = wire.client()
    client.send(post(b"body"))
    await wire.settle()
    assert sorted(wire.attempts) == [1001, 1002, 1003]
    assert client.got.startswith(b"HTTP/1.1 502 ")
    assert wire.errors() == {("stable", "refused"): 1}


async def test_an_endpoint_that_keeps_refusing_is_left_alone(make_wire: MakeWire) -> None:
    wire = make_wire(stable=2, health={"eject_after": 2, "eject_for": 2})
    wire.outcomes[1001] = [REFUSED] * 2
    for _ in range(6):
        (client,) = await ask_all(wire, 1)
        wire.upstreams[-1].read()
        assert not client.got
    assert wire.attempts.count(1001) == 2
    assert wire.attempts.count(1002) == 6
    await wire.later(2.5)
    await ask_all(wire, 1)
    assert wire.attempts.count(1001) == 3, "an ejection ends"


async def test_a_good_connect_forgets_the_bad_ones(make_wire: MakeWire) -> None:
    wire = make_wire(health={"eject_after": 2})
    gate = asyncio.Event()
    gate.set()
    wire.outcomes[STABLE_PORT] = [REFUSED, gate, REFUSED]
    for _ in range(3):
        await ask_all(wire, 1)
    assert wire.core.pools[STABLE].is_available()


async def test_an_ejected_canary_takes_no_requests(make_wire: MakeWire) -> None:
    wire = make_wire(weight=10_000, health={"eject_after": 1})
    wire.outcomes[CANARY_PORT] = [REFUSED]
    await ask_all(wire, 2)
    assert not wire.core.pools[CANARY].is_available()
    await ask_all(wire, 2)
    assert wire.attempts.count(CANARY_PORT) == 2
    assert wire.attempts.count(STABLE_PORT) == 3


# Who waits.


async def test_a_request_waits_for_a_connection(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1})
    first, second = await ask_all(wire, 2)
    assert wire.core.pools[STABLE].waiting == 1
    assert wire.upstream.read().count(b"GET ") == 1
    wire.upstream.send(ok(b"1"))
    await wire.settle()
    assert first.got.endswith(b"1")
    assert wire.upstream.read().count(b"GET ") == 1
    wire.upstream.send(ok(b"2"))
    await wire.settle()
    assert second.got.endswith(b"2")
    assert wire.attempts == [STABLE_PORT]


async def test_a_connection_that_breaks_makes_room(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1})
    first, _ = await ask_all(wire, 2)
    wire.upstream.leave()
    await wire.settle()
    assert first.got.startswith(b"HTTP/1.1 502 ")
    assert len(wire.upstreams) == 2
    assert wire.upstream.got.startswith(b"GET ")


async def test_a_failed_connect_makes_room(make_wire: MakeWire) -> None:
    """The next one that waits gets the place at once, not a 503 after its whole wait."""
    wire = make_wire(limits={"pool": 1})
    wire.outcomes[STABLE_PORT] = [REFUSED]
    first, second = await ask_all(wire, 2)
    assert first.got.startswith(b"HTTP/1.1 502 ")
    assert wire.attempts == [STABLE_PORT] * 2
    assert wire.upstream.got.startswith(b"GET ")
    wire.upstream.send(ok(b"2"))
    assert second.got.endswith(b"2")


async def test_the_queue_has_an_end(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1, "queue": 1})
    clients = await ask_all(wire, 3)
    assert [client.got[:13] for client in clients] == [b"", b"", b"HTTP/1.1 503 "]
    assert wire.errors() == {("stable", "pool"): 1}


async def test_waiting_has_an_end(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1})
    clients = await ask_all(wire, 3)
    await wire.later(2.5)
    assert [client.got[:13] for client in clients] == [b"", b"HTTP/1.1 503 ", b"HTTP/1.1 503 "]
    assert wire.core.pools[STABLE].waiting == 0


async def test_clients_that_are_gone_do_not_fill_the_queue(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1, "queue": 2})
    first, *gone = await ask_all(wire, 3)
    for client in gone:
        client.leave()
    late, later = await ask_all(wire, 2)
    assert not late.got
    assert not later.got
    for client in (first, late, later):
        wire.upstream.send(ok(b"served"))
        await wire.settle()
        assert client.got.endswith(b"served")
    assert wire.attempts == [STABLE_PORT]


async def test_the_arms_do_not_share_places(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1})
    await ask_all(wire, 2)
    wire.publish(10_000)
    await ask_all(wire, 1)
    assert wire.attempts == [STABLE_PORT, CANARY_PORT]
    assert wire.core.pools[CANARY].waiting == 0


async def test_gauges(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1})
    await ask_all(wire, 3)
    pool = wire.core.pools[STABLE]
    assert (pool.busy, pool.idle, pool.waiting) == (1, 0, 2)
    for _ in range(3):
        wire.upstream.send(ok())
        await wire.settle()
    assert (pool.busy, pool.idle, pool.waiting) == (0, 1, 0)
    pool.close_idle()
    await wire.settle()
    assert (pool.busy, pool.idle, pool.waiting) == (0, 0, 0)
    assert wire.upstream.closed

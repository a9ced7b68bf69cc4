"""Client connections: heads in pieces, pipelines, clients that don't read, deadlines, half-closes, draining."""

from __future__ import annotations

import pytest

from router.proxy.downstream import PIPELINE_BYTES
from tests.router.proxy.fakes import CANARY_PORT, STABLE_PORT, MakeWire, Peer, Wire, get, ok, plain

FULL = 300_000  # more than a write buffer takes


async def fill(wire: Wire) -> Peer:
    """A client that has asked for much and reads nothing of it; its upstream is idle."""
    client = wire.client()
    client.takes = False
    await wire.serve(client, get(), ok(b"x" * FULL))
    return client


# Heads.


async def test_a_head_in_single_bytes(wire: Wire) -> None:
    whole, pieces = wire.client(), wire.client()
    seen, answer = await wire.serve(whole, get(b"/a", b"A: b"), ok())
    request = get(b"/a", b"A: b")
    pieces.send(*(request[at : at + 1] for at in range(len(request) - 1)))
    await wire.settle()
    assert not wire.upstream.got
    again = await wire.serve(pieces, request[-1:], ok())
    assert (plain(again[0]), plain(again[1])) == (plain(seen), plain(answer))


async def test_the_same_head_again(wire: Wire) -> None:
    client = wire.client()
    first = await wire.serve(client, get(b"/a"), ok(b"1"))
    second = await wire.serve(client, get(b"/a"), ok(b"2"))
    assert plain(first[0]) == plain(second[0])
    assert first[0] != second[0], "each request has an id of its own"
    assert second[1].endswith(b"\r\n\r\n2")


async def test_the_same_head_follows_the_weight(wire: Wire) -> None:
    """What is remembered of a head isn't the arm it went to."""
    client = wire.client()
    await wire.serve(client, get(), ok())
    wire.publish(10_000)
    await wire.serve(client, get(), ok())
    wire.publish(0)
    await wire.serve(client, get(), ok())
    assert wire.attempts == [STABLE_PORT, CANARY_PORT]
    assert wire.counted() == [("canary", "identity", "200"), ("stable", "identity", "200")]


async def test_a_shorter_head_is_not_the_remembered_one(wire: Wire) -> None:
    client = wire.client()
    await wire.serve(client, get(b"/a", b"A: b"), ok())
    seen, _ = await wire.serve(client, get(b"/a"), ok())
    assert b"A: b" not in seen
    seen, _ = await wire.serve(client, get(b"/a", b"A: b"), ok())
    assert b"A: b" in seen


# Pipelines.


async def test_a_pipeline_is_answered_in_order(wire: Wire) -> None:
    client = wire.client()
    client.send(get(b"/1") + get(b"/2") + get(b"/3"))
    for number in (b"1", b"2", b"3"):
        await wire.settle()
        assert wire.upstream.read().startswith(b"GET /" + number + b" ")
        wire.upstream.send(ok(b"answer " + number))
    await wire.settle()
    assert client.read().count(b"answer ") == 3
    assert len(wire.upstreams) == 1


async def test_nothing_runs_after_a_close(wire: Wire) -> None:
    client = wire.client()
    client.send(get(b"/1", b"Connection: close") + get(b"/2"))
    await wire.settle()
    wire.upstream.send(ok())
    await wire.settle()
    assert wire.upstream.read().count(b"GET ") == 1
    assert b"\r\nConnection: close\r\n" in client.got
    assert client.ended
    assert not client.closed, "it may still be sending: a close now would reset its answer"
    client.send(get(b"/3"))
    await wire.later(5.5)
    assert not wire.upstream.got
    assert client.closed


async def test_nothing_runs_after_a_refusal(wire: Wire) -> None:
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\n\r\n" + get())
    await wire.settle()
    assert client.got.startswith(b"HTTP/1.1 400 ")
    assert client.got.count(b"\r\n\r\n") == 1
    assert not wire.attempts
    assert wire.client_errors() == {"bad_request": 1}


async def test_a_long_pipeline_stays_paused(wire: Wire) -> None:
    """However often it is answered, not more than the limit is taken in, and every request is answered."""
    client = wire.client()
    request = get(b"/", b"Pad: " + b"p" * 900)
    number = FULL // len(request)
    client.send(request * number)
    for left in range(number - 1, -1, -1):
        await wire.settle()
        assert client.reads is (left * len(request) <= PIPELINE_BYTES)
        assert wire.upstream.read().count(b"GET ") == 1
        wire.upstream.send(ok())
    await wire.settle()
    assert client.read().count(b"HTTP/1.1 200 OK") == number
    assert client.reads


async def test_a_pipeline_that_grows_is_paused(wire: Wire) -> None:
    client = wire.client()
    await wire.ask(client, get())
    client.send(b"x" * PIPELINE_BYTES)
    assert client.reads
    client.send(b"x")
    assert not client.reads


# Clients that don't read.


async def test_an_upstream_in_the_pool_is_never_paused(wire: Wire) -> None:
    """The write that fills the client may be the last one of an answer; its upstream serves others by then."""
    client = wire.client()
    client.takes = False
    await wire.serve(client, get(), ok(b"x" * 200_000))
    await wire.serve(client, get(), ok(b"x" * 200_000))
    assert client.waiting > 2 * 200_000
    assert wire.upstream.reads
    _, answer = await wire.serve(wire.client(), get(), ok(b"for another"))
    assert answer.endswith(b"for another")
    assert len(wire.upstreams) == 1


async def test_an_upstream_is_paused_while_its_client_is_full(wire: Wire) -> None:
    client = wire.client()
    client.takes = False
    upstream = await wire.ask(client, get())
    upstream.send(ok(b"x" * 2 * FULL)[:FULL])
    assert not upstream.reads
    client.take(FULL)
    assert upstream.reads


async def test_a_paused_upstream_reads_again_when_its_client_leaves(wire: Wire) -> None:
    client = wire.client()
    client.takes = False
    upstream = await wire.ask(client, get())
    upstream.send(ok(b"x" * 2 * FULL)[:FULL])
    client.leave()
    assert upstream.closed
    assert wire.counted() == [("stable", "identity", "499")]


@pytest.mark.parametrize("path", [b"/next", b"/"], ids=["another head", "the same head"])
async def test_no_request_runs_while_the_client_is_full(wire: Wire, path: bytes) -> None:
    client = await fill(wire)
    client.send(get(path))
    await wire.settle()
    assert not wire.upstream.got
    assert not client.reads
    client.take(client.waiting)
    await wire.settle()
    assert wire.upstream.got.startswith(b"GET %b " % path)
    assert client.reads


async def test_a_client_that_takes_nothing_is_given_up(wire: Wire) -> None:
    client = await fill(wire)
    await wire.later(31)
    assert client.aborted
    assert wire.client_errors() == {"write_timeout": 1}


async def test_a_client_that_takes_a_little_is_not(wire: Wire) -> None:
    client = await fill(wire)
    client.take(1024)
    await wire.later(31)
    assert not client.closed


async def test_a_client_that_takes_next_to_nothing_is(wire: Wire) -> None:
    """A byte every 29 s would hold both connections for ever."""
    client = await fill(wire)
    client.take(1)
    await wire.later(29)
    assert not client.closed
    client.take(1)
    await wire.later(31)
    assert client.aborted
    assert wire.client_errors() == {"write_timeout": 1}


# Deadlines.


async def test_bytes_do_not_extend_the_time_for_a_head(wire: Wire) -> None:
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\n", b"Host: h\r\n", b"A: b")
    await wire.later(10.5)
    assert client.got.startswith(b"HTTP/1.1 408 ")
    assert wire.client_errors() == {"head_timeout": 1}


async def test_the_deadline_of_a_head_is_set_once(wire: Wire) -> None:
    """Its first byte sets it, whatever the clock says at the others."""
    client = wire.client()
    (swept,) = wire.core.swept
    client.send(b"G")
    deadline = swept.deadline
    client.send(b"ET / HTTP/1.1\r\n", b"Host: h\r\n", b"A: b")
    assert swept.deadline == deadline


async def test_a_silent_client_is_closed_without_a_word(wire: Wire) -> None:
    client = wire.client()
    await wire.later(10.5)
    assert client.closed
    assert not client.got
    assert not wire.client_errors()


async def test_a_silent_client_does_not_hold_up_a_drain(wire: Wire) -> None:
    """It was taken from the listen queue when that closed; its request may be on the way, but not for long."""
    wire.core.draining = True
    silent, speaking = wire.client(), wire.client()
    speaking.send(b"GET")
    await wire.later(1.5)
    assert silent.closed
    assert not silent.got
    speaking.send(get()[3:])
    await wire.settle()
    assert wire.upstream.got.startswith(b"GET ")


async def test_keep_alive_ends(wire: Wire) -> None:
    client = wire.client()
    await wire.serve(client, get(), ok())
    await wire.later(75.5)
    assert client.closed
    assert not client.got


async def test_keep_alive_is_longer_than_a_head_may_take(wire: Wire) -> None:
    client = wire.client()
    await wire.serve(client, get(), ok())
    await wire.later(60)
    assert not client.closed


# Ends.


async def test_a_client_that_sends_no_more_gets_its_answer(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    client.end()
    assert not client.closed
    upstream.send(ok(b"late"))
    await wire.settle()
    assert b"\r\nConnection: close\r\n" in client.got
    assert client.got.endswith(b"late")
    assert client.closed


async def test_a_client_that_sends_no_more_does_not_wait_for_ever(wire: Wire) -> None:
    """It may be gone: a full close looks the same until something is sent to it."""
    client = wire.client()
    upstream = await wire.ask(client, get())
    client.end()
    await wire.later(1.5)
    assert client.aborted
    assert upstream.closed
    assert wire.counted() == [("stable", "identity", "499")]


@pytest.mark.parametrize("scheme", [b"http", b"https"])
async def test_a_client_that_ends_in_its_head_is_closed(wire: Wire, scheme: bytes) -> None:
    client = wire.client(scheme)
    client.send(get()[:-4])
    client.end()
    await wire.settle()
    assert client.closed
    assert not wire.attempts


async def test_a_client_that_leaves_takes_its_upstream_along(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    client.leave()
    assert upstream.closed
    assert wire.counted() == [("stable", "identity", "499")]
    assert wire.client_errors() == {"gone": 1}
    assert not wire.core.clients


async def test_a_client_that_leaves_while_its_upload_is_held_back(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get(b"/", b"Content-Length: %d" % (2 * FULL), method=b"POST"))
    upstream.takes = False
    client.send(b"x" * FULL)
    assert not client.reads
    await wire.later(0.1)
    assert not client.closed
    client.far.close()
    await wire.later(0.2)
    assert client.aborted
    assert upstream.closed
    assert wire.client_errors() == {"gone": 1}
    assert not wire.core.held


async def test_too_many_clients(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"connections": 1})
    first, second = wire.client(), wire.client()
    await wire.settle()
    assert second.got.startswith(b"HTTP/1.1 503 ")
    assert second.closed
    assert not first.closed
    assert wire.client_errors() == {"overload": 1}
    await wire.serve(first, get(), ok())


# Draining, as the worker does it.


def drain(wire: Wire, now: bool) -> None:
    wire.core.draining = True
    for client in list(wire.core.clients):
        client.drain(now)


async def test_draining_closes_idle_clients_and_lets_busy_ones_finish(wire: Wire) -> None:
    idle, started, busy = wire.client(), wire.client(), wire.client()
    started.send(get()[:9])
    upstream = await wire.ask(busy, get())
    drain(wire, True)
    assert idle.closed
    assert not started.closed
    upstream.send(ok())
    await wire.settle()
    assert b"\r\nConnection: close\r\n" in busy.got
    assert busy.closed
    started.send(get()[9:])
    await wire.settle()
    wire.upstream.send(ok())
    await wire.settle()
    assert b"\r\nConnection: close\r\n" in started.got


async def test_a_retired_worker_gives_every_client_one_more_answer(wire: Wire) -> None:
    """Closing at once would cross the requests that are on their way."""
    client = wire.client()
    ends: list[bool] = []
    wire.core.on_idle = lambda: ends.append(True)
    drain(wire, False)
    assert not client.closed
    wire.core.tick()
    assert not ends
    _, answer = await wire.serve(client, get(), ok())
    assert b"\r\nConnection: close\r\n" in answer
    wire.core.tick()
    assert ends == [True]

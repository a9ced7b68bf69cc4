"""One request and its answer: retries, fallback to stable, short canary answers held back, interim answers, framing."""

from __future__ import annotations

import pytest

from router.table import CANARY, STABLE
from tests.router.proxy.fakes import CANARY_PORT, STABLE_PORT, MakeWire, Peer, Wire, get, ok, plain, post

ALL = 10_000
REFUSED = ConnectionRefusedError()
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.fixture
async def canary(make_wire: MakeWire) -> Wire:
    """A wire whose users are all on the canary."""
    return make_wire(weight=ALL)


async def reused(wire: Wire, client: Peer) -> Peer:
    """An idle connection that has answered before."""
    await wire.serve(client, get(), ok())
    return wire.upstream


def status(client: Peer) -> bytes:
    return client.got[9:12]


# Once more, on a connection that was used before.


@pytest.mark.parametrize("request_bytes", [get(), get(method=b"DELETE"), post(b"small", method=b"PUT")])
async def test_a_request_is_repeated_once(wire: Wire, request_bytes: bytes) -> None:
    client = wire.client()
    first = await reused(wire, client)
    client.send(request_bytes)
    await wire.settle()
    seen = first.read()
    first.leave()
    await wire.settle()
    assert wire.upstream is not first
    assert plain(wire.upstream.got) == plain(seen)
    wire.upstream.leave()
    await wire.settle()
    assert status(client) == b"502"
    assert len(wire.upstreams) == 2
    assert wire.errors() == {("stable", "reset"): 1}


async def test_a_request_is_not_repeated_twice(make_wire: MakeWire) -> None:
    """The repeat may have to wait, and then gets a connection that was used before like the first time."""
    wire = make_wire(limits={"pool": 2})
    client, other, waiting = wire.client(), wire.client(), wire.client()
    first = await reused(wire, client)
    for each in (client, other, waiting):
        each.send(get())
        await wire.settle()
    second = wire.upstream
    first.leave()  # its place goes to the one that waits, so the repeat waits for the second connection
    await wire.settle()
    assert wire.core.pools[STABLE].waiting == 1
    second.read()
    second.send(ok())
    await wire.settle()
    assert second.read().startswith(b"GET / ")
    second.leave()
    await wire.settle()
    assert status(client) == b"502"
    assert len(wire.upstreams) == 3


async def test_nothing_is_repeated_on_a_new_connection(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.leave()
    await wire.settle()
    assert status(client) == b"502"
    assert len(wire.upstreams) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [post(b"sent"), get(method=b"PATCH"), post(b"x" * 70_000, method=b"PUT")],
    ids=["post", "patch", "large"],
)
async def test_what_may_not_be_repeated_is_not(wire: Wire, request_bytes: bytes) -> None:
    client = wire.client()
    first = await reused(wire, client)
    client.send(request_bytes)
    await wire.settle()
    assert first.read()
    first.leave()
    await wire.settle()
    assert status(client) == b"502"
    assert len(wire.upstreams) == 1


async def test_nothing_is_repeated_after_a_byte_of_its_answer(wire: Wire) -> None:
    client = wire.client()
    first = await reused(wire, client)
    await wire.ask(client, get())
    first.send(b"HTTP/1.1 2")
    first.leave()
    await wire.settle()
    assert status(client) == b"502"
    assert len(wire.upstreams) == 1


async def test_nothing_is_repeated_after_an_interim_answer(wire: Wire) -> None:
    client = wire.client()
    first = await reused(wire, client)
    await wire.ask(client, get())
    first.send(EARLY_HINTS)
    first.leave()
    await wire.settle()
    assert client.got.startswith(EARLY_HINTS + b"HTTP/1.1 502 ")
    assert len(wire.upstreams) == 1


async def test_no_fallback_after_an_interim_answer(canary: Wire) -> None:
    client = canary.client()
    upstream = await canary.ask(client, get())
    upstream.send(EARLY_HINTS)
    upstream.leave()
    await canary.settle()
    assert client.got.startswith(EARLY_HINTS + b"HTTP/1.1 502 ")
    assert canary.attempts == [CANARY_PORT]


# Stable answers when the canary can't.


@pytest.mark.parametrize("request_bytes", [get(), post(b"body")], ids=["get", "post"])
@pytest.mark.parametrize(("error", "kind"), [(REFUSED, "refused"), (TimeoutError(), "connect_timeout")])
async def test_stable_answers_for_a_canary_without_connection(
    canary: Wire, request_bytes: bytes, error: Exception, kind: str
) -> None:
    canary.outcomes[CANARY_PORT] = [error]
    seen, answer = await canary.serve(canary.client(), request_bytes, ok(b"by stable"))
    assert b"\r\nX-Cutover-Arm: stable\r\n" in seen
    assert b"\r\nX-Cutover-Arm: stable\r\n" in answer
    assert canary.attempts == [CANARY_PORT, STABLE_PORT]
    assert canary.errors() == {("canary", kind): 1}
    assert canary.counted() == [("stable", "fallback", "200")]


async def test_stable_answers_for_a_canary_that_died(canary: Wire) -> None:
    client = canary.client()
    upstream = await canary.ask(client, get())
    upstream.leave()
    await canary.settle()
    canary.upstream.send(ok(b"by stable"))
    assert client.got.endswith(b"by stable")
    assert canary.errors() == {("canary", "reset"): 1}
    assert canary.counted() == [("stable", "fallback", "200")]


async def test_stable_answers_while_the_canary_is_down(canary: Wire) -> None:
    canary.table.set_up(CANARY, [False])
    await canary.serve(canary.client(), get(), ok())
    assert canary.attempts == [STABLE_PORT]
    assert canary.counted() == [("stable", "fallback", "200")]


async def test_a_post_that_was_sent_stays_with_the_canary(canary: Wire) -> None:
    client = canary.client()
    (await canary.ask(client, post(b"body"))).leave()
    await canary.settle()
    assert status(client) == b"502"
    assert canary.attempts == [CANARY_PORT]
    assert canary.counted() == [("canary", "identity", "502")]


async def test_a_canary_that_talks_nonsense_is_shown(canary: Wire) -> None:
    client = canary.client()
    (await canary.ask(client, get())).send(b"SSH-2.0-x\r\n\r\n")
    await canary.settle()
    assert status(client) == b"502"
    assert canary.errors() == {("canary", "bad_response"): 1}
    assert canary.attempts == [CANARY_PORT]


async def test_a_canary_that_is_slow_is_shown(canary: Wire) -> None:
    """Stable may be no quicker, and twice the time would be the client's."""
    client = canary.client()
    await canary.ask(client, get())
    await canary.later(60.5)
    assert status(client) == b"504"
    assert canary.errors() == {("canary", "timeout"): 1}
    assert canary.attempts == [CANARY_PORT]


async def test_fallback_can_be_turned_off(make_wire: MakeWire) -> None:
    wire = make_wire(weight=ALL, split={"fallback": False})
    wire.outcomes[CANARY_PORT] = [REFUSED]
    client = wire.client()
    client.send(get())
    await wire.settle()
    assert status(client) == b"502"
    assert b"\r\nX-Cutover-Arm: canary\r\n" in client.got


async def test_stable_has_nobody_to_fall_back_to(wire: Wire) -> None:
    wire.outcomes[STABLE_PORT] = [REFUSED]
    client = wire.client()
    client.send(get())
    await wire.settle()
    assert status(client) == b"502"
    assert wire.attempts == [STABLE_PORT]


# Short answers of the canary wait until they are whole.


async def test_a_short_answer_that_breaks_off_is_replaced(canary: Wire) -> None:
    client = canary.client()
    upstream = await canary.ask(client, get())
    upstream.send(ok(b"by the canary")[:-3])
    assert not client.got
    upstream.leave()
    await canary.settle()
    canary.upstream.send(ok(b"by stable"))
    assert client.got.endswith(b"\r\n\r\nby stable")
    assert b"canary" not in client.got
    assert canary.errors() == {("canary", "truncated"): 1}
    assert canary.counted() == [("stable", "fallback", "200")]


async def test_a_short_answer_in_pieces_arrives_whole(canary: Wire) -> None:
    client = canary.client()
    upstream = await canary.ask(client, get())
    answer = ok(b"by the canary")
    upstream.send(*(answer[at : at + 1] for at in range(len(answer))))
    assert client.got.endswith(b"\r\n\r\nby the canary")
    _, again = await canary.serve(client, get(), answer)
    assert again.endswith(b"\r\n\r\nby the canary")
    assert canary.counted() == [("canary", "identity", "200")]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [(get(), ok(b"x" * 20_000)[:5000]), (get(), CHUNKED), (post(b"body"), ok(b"short")[:-1])],
    ids=["long", "chunked", "not repeatable"],
)
async def test_other_answers_are_passed_on_at_once(canary: Wire, request_bytes: bytes, answer: bytes) -> None:
    client = canary.client()
    upstream = await canary.ask(client, request_bytes)
    upstream.send(answer)
    assert status(client) == b"200"
    upstream.leave()
    await canary.settle()
    assert client.aborted, "the client must not take it for whole"
    assert not client.got.endswith(b"0\r\n\r\n")
    assert canary.attempts == [CANARY_PORT]


async def test_stable_holds_nothing_back(wire: Wire) -> None:
    client = wire.client()
    (await wire.ask(client, get())).send(ok(b"short")[:-1])
    assert client.got.endswith(b"\r\n\r\nshor")


# Interim answers.


async def test_interim_answers_are_relayed(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(EARLY_HINTS + EARLY_HINTS[:7], EARLY_HINTS[7:] + ok(b"final"))
    assert client.got.startswith(EARLY_HINTS * 2 + b"HTTP/1.1 200 OK\r\n")
    assert client.got.endswith(b"final")


async def test_too_many_interim_answers(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"interim": 2})
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(EARLY_HINTS * 3)
    await wire.settle()
    assert client.got.startswith(EARLY_HINTS * 2 + b"HTTP/1.1 502 ")
    assert upstream.closed


OLD = b"GET / HTTP/1.0\r\nHost: h\r\nCookie: cutover_id=u\r\n\r\n"


async def test_old_clients_get_no_interim_answers_and_no_chunks(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, OLD)
    upstream.send(EARLY_HINTS + CHUNKED + b"0\r\n\r\n")
    await wire.settle()
    assert client.got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"chunked" not in client.got
    assert client.got.endswith(b"\r\n\r\nabc")
    assert client.closed


# Answers that end badly.


async def test_a_silent_answer_is_broken_off(wire: Wire) -> None:
    client = wire.client()
    (await wire.ask(client, get())).send(ok(b"x" * 20)[:-1])
    await wire.later(60.5)
    assert client.aborted
    assert wire.errors() == {("stable", "idle_timeout"): 1}


async def test_a_silent_event_stream_is_not(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(CHUNKED.replace(b"\r\nTr", b"\r\nContent-Type: text/event-stream\r\nTr", 1))
    await wire.later(3600)
    assert not client.closed
    upstream.send(b"2\r\nde\r\n")
    assert client.got.endswith(b"2\r\nde\r\n")


async def test_bytes_behind_an_answer_are_never_the_next_answer(wire: Wire) -> None:
    first, second = wire.client(), wire.client()
    upstream = await wire.ask(first, get())
    upstream.send(ok(b"x" * 30)[:-1], b"x" + ok(b"smuggled"))
    await wire.settle()
    assert first.got.endswith(b"x" * 30)
    assert upstream.closed
    _, answer = await wire.serve(second, get(), ok(b"right"))
    assert answer.endswith(b"right")


async def test_an_answer_until_close_ends_with_its_connection(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
    upstream.end()
    await wire.settle()
    assert client.got.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert not client.closed


async def test_head_gets_no_body(wire: Wire) -> None:
    client = wire.client()
    _, answer = await wire.serve(client, get(method=b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    assert b"\r\nContent-Length: 9\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    _, answer = await wire.serve(client, get(), ok(b"a body"))
    assert answer.endswith(b"a body")
    assert len(wire.upstreams) == 1


# Requests that wait too long are counted while they wait.


def waits(wire: Wire) -> list[tuple[str, str, bool]]:
    """(arm, code, late) of every request, overdue ones under no code."""
    return sorted((key.arm, key.code, key.late) for key in wire.totals.series(waits=True))


async def test_a_wait_is_counted_once_when_it_is_overdue(canary: Wire) -> None:
    client = canary.client()
    upstream = await canary.ask(client, get())
    await canary.later(4.9)
    assert waits(canary) == []
    await canary.later(5.1)
    await canary.later(20)
    assert waits(canary) == [("canary", "0", False)]
    assert canary.counted() == []
    upstream.send(ok())
    await canary.settle()
    assert status(client) == b"200"
    assert waits(canary) == [("canary", "0", False), ("canary", "200", True)]
    assert canary.counted() == [("canary", "identity", "200")]


async def test_an_overdue_wait_still_ends_at_its_timeout(canary: Wire) -> None:
    client = canary.client()
    await canary.ask(client, get())
    await canary.later(5.1)
    await canary.later(59)
    assert status(client) == b""
    await canary.later(60.2)
    assert status(client) == b"504"
    assert waits(canary) == [("canary", "0", False), ("canary", "504", True)]


async def test_a_body_that_is_still_coming_is_not_the_upstreams_wait(canary: Wire) -> None:
    client = canary.client()
    whole = post(b"abcdef")
    upstream = await canary.ask(client, whole[:-3])
    await canary.later(20)
    assert waits(canary) == []
    client.send(whole[-3:])
    await canary.settle()
    upstream.send(ok())
    await canary.settle()
    assert waits(canary) == [("canary", "200", False)]


async def test_short_timeouts_are_never_overdue(make_wire: MakeWire) -> None:
    wire = make_wire(weight=ALL, timeouts={"first_byte": 3})
    client = wire.client()
    await wire.ask(client, get())
    await wire.later(3.1)
    assert status(client) == b"504"
    assert waits(wire) == [("canary", "504", False)]

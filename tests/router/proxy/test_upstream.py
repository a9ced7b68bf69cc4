"""Answers on their way: what the client gets for an upstream's bytes, however they arrive, and what it never gets."""

from __future__ import annotations

import h11
import pytest

from tests.router.proxy.fakes import MakeWire, Peer, Wire, get, ok, plain, post

CODED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
RESET = b"HTTP/1.1 205 R\r\nContent-Length: 0\r\n\r\n"
LENGTH_ONLY = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
ANSWERS = [
    # rule, method, from the upstream, to the client (body only when chunked), upstream connection kept
    ("F4", b"GET", ok(b"abc"), LENGTH_ONLY + b"abc", True),
    ("F4", b"GET", ok(b""), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
    ("F5", b"GET", CODED + b"3;x=y\r\nabc\r\n0\r\n\r\n", b"abc", True),
    ("F6", b"GET", CODED + b"3\r\nabc\r\n0\r\nX-T: y\r\n\r\n", b"abc", True),
    ("F5", b"GET", CODED + b"0\r\n\r\n", b"", True),
    ("F7", b"HEAD", LENGTH_ONLY, LENGTH_ONLY, True),
    ("F7", b"GET", b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", True),
    ("F7", b"GET", b"HTTP/1.1 304 N\r\nETag: 1\r\n\r\n", b"HTTP/1.1 304 N\r\nETag: 1\r\n\r\n", True),
    ("F7", b"GET", b"HTTP/1.1 205 R\r\nContent-Length: 2\r\n\r\nab", RESET, True),
    ("F7", b"GET", b"HTTP/1.1 205 R\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", RESET, True),
    ("9.3", b"GET", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", LENGTH_ONLY + b"abc", False),
    ("9.3", b"GET", ok(b"abc", b"Connection: close"), LENGTH_ONLY + b"abc", False),
]


def read(data: bytes, method: bytes) -> bytes:
    """Body of one whole answer as h11 sees it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    assert isinstance(connection.next_event(), h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage), "not whole"
    assert connection.trailing_data[0] == b"", "more than one answer"
    return body


@pytest.mark.parametrize("weight", [0, 10_000], ids=["stable", "canary"])
@pytest.mark.parametrize(("rule", "method", "answer", "expected", "kept"), ANSWERS)
async def test_answers(
    make_wire: MakeWire, rule: str, method: bytes, answer: bytes, expected: bytes, kept: bool, weight: int
) -> None:
    """Whole, in single bytes, and cut once at every place; the canary's short ones are held back until whole."""
    cuts = [[answer], [answer[at : at + 1] for at in range(len(answer))]]
    cuts += [[answer[:at], answer[at:]] for at in range(1, len(answer))]
    wire = make_wire(weight=weight)
    for pieces in cuts:
        client = wire.client()
        upstream = await wire.ask(client, get(method=method))
        upstream.send(*pieces)
        await wire.settle()
        saw = client.read()
        if answer.startswith(CODED):
            assert read(saw, method) == expected
        else:
            assert plain(saw) == expected
            read(saw, method)
        assert not client.closed
        assert upstream.closed is not kept


BROKEN = [
    # rule, what the upstream sends instead of an answer
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"),
    ("F8", b"HTTP/1.1 204 No\r\n\r\na"),
    ("F8", CODED + b"x\r\n"),
    ("F8", CODED + b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"),
    ("RFC 9112 4", b"SSH-2.0-OpenSSH\r\n"),
    ("RFC 9112 4", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("RFC 9112 2.2", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("H5", b"HTTP/1.1 200 OK\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 5),
]


@pytest.mark.parametrize(("rule", "data"), [pytest.param(*case, id=f"{case[1][:50]!r}") for case in BROKEN])
async def test_a_broken_answer_is_502_and_never_passed_on(wire: Wire, rule: str, data: bytes) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(data)
    assert client.got.startswith(b"HTTP/1.1 502 ")
    assert b"bad_response" in client.got
    read(client.got, b"GET")
    assert upstream.closed
    assert wire.errors() == {("stable", "bad_response"): 1}


#: Bytes behind a whole answer are seen too late to take it back; the connection is closed all the same.
TOO_LATE = (b"\r\n\r\nab", b"\r\n\r\na", b"0\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(("rule", "data"), [pytest.param(*case, id=f"{case[1][:50]!r}") for case in BROKEN])
async def test_a_broken_answer_in_pieces_is_never_taken_for_whole(wire: Wire, rule: str, data: bytes) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    size = 1 if len(data) < 1000 else 997
    for at in range(0, len(data), size):
        if not upstream.closed:
            upstream.send(data[at : at + size])
    await wire.settle()
    assert upstream.closed
    assert client.got.startswith(b"HTTP/1.1 502 ") or client.aborted or data.endswith(TOO_LATE)


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", CODED + b"5\r\nab"])
@pytest.mark.parametrize("how", ["end", "leave"])
async def test_a_truncated_answer_is_broken_off(wire: Wire, data: bytes, how: str) -> None:
    """F8: the client must not take it for whole, so never the last chunk."""
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(data)
    upstream.end() if how == "end" else upstream.leave()
    assert client.aborted
    assert b"0\r\n\r\n" not in client.got
    assert wire.errors() == {("stable", "truncated"): 1}


async def test_an_answer_until_close_that_is_reset_is_broken_off(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(b"HTTP/1.1 200 OK\r\n\r\nab")
    upstream.leave()
    assert client.aborted
    assert not client.got.endswith(b"0\r\n\r\n")


async def test_each_piece_is_passed_on_at_once(wire: Wire) -> None:
    """Server-sent events and streams of tokens."""
    client = wire.client()
    upstream = await wire.ask(client, get())
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    client.read()
    for piece in (b"data: 1\n\n", b"data: 2\n\n"):
        upstream.send(piece)
        assert client.read() == b"%x\r\n%b\r\n" % (len(piece), piece)
    upstream.end()
    assert client.read() == b"0\r\n\r\n"


async def broken_upload(wire: Wire) -> tuple[Peer, Peer]:
    """A client in mid-upload and its upstream."""
    client = wire.client()
    upstream = await wire.ask(client, post(b"x" * 100)[:-50])
    return client, upstream


async def test_an_answer_left_behind_by_a_failed_write_is_read(wire: Wire) -> None:
    """B3: the upstream answered and closed; our write failed before its answer was read."""
    client, upstream = await broken_upload(wire)
    upstream.far.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    upstream.leave(BrokenPipeError())
    assert plain(client.got) == b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"


async def test_without_an_answer_a_failed_write_is_502(wire: Wire) -> None:
    client, upstream = await broken_upload(wire)
    upstream.leave(BrokenPipeError())
    assert client.got.startswith(b"HTTP/1.1 502 ")
    assert b"\r\nConnection: close\r\n" in client.got
    assert wire.errors() == {("stable", "reset"): 1}


async def test_no_connection_is_used_again_before_its_request_was_sent(wire: Wire) -> None:
    _, upstream = await broken_upload(wire)
    upstream.send(ok())
    await wire.settle()
    assert upstream.closed
    await wire.serve(wire.client(), get(), ok())
    assert len(wire.upstreams) == 2


async def test_the_same_answer_to_head_and_get(wire: Wire) -> None:
    """A remembered head must not lend its framing: a HEAD's answer has no body, a GET's has."""
    client = wire.client()
    for _ in range(2):
        _, saw = await wire.serve(client, get(method=b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        assert read(saw, b"HEAD") == b""
        _, saw = await wire.serve(client, get(), ok(b"ok"))
        assert read(saw, b"GET") == b"ok"
    assert len(wire.upstreams) == 1

"""B4: pipelined requests run one at a time, are answered in order, and none runs after an error or a `close`."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.router import Router
from tests.conformance.upstream import Connection

COOKIE = b"Cookie: cutover_id=0\r\n"


def get(target: bytes, fields: bytes = b"") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n" + COOKIE + fields + b"\r\n"


def echo(target: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target) + target


@pytest.mark.parametrize("count", [2, 33, 300])
def test_B4_answers_come_in_order(router: Router, count: int) -> None:
    router.stable.play([steps.serve_each(echo)])
    targets = [b"/%d" % number for number in range(count)]
    with router.connect() as client:
        client.send(b"".join(map(get, targets)))
        answers = [client.answer() for _ in targets]
    assert [answer.body for answer in answers] == targets
    router.stable.finish()
    assert [request.target for request in router.stable.requests()] == targets


def test_B4_one_in_flight(router: Router) -> None:
    """While the first is unanswered, the upstream sees neither a second connection nor a second request."""
    go = router.stable.gate()

    def first(connection: Connection) -> None:
        connection.message()
        assert go.wait(8)
        connection.sock.setblocking(False)
        try:
            early = connection.sock.recv(100)
        except BlockingIOError:
            early = b""
        connection.sock.settimeout(8)
        assert early == b"", "a second request came before the first was answered"
        connection.send(echo(b"/0"))

    router.stable.play([first, steps.serve_each(echo)], [steps.serve_each(echo)])
    with router.connect() as client:
        client.send(b"".join(get(b"/%d" % number) for number in range(5)))
        router.stable.connection(0)
        with router.connect() as other:
            # A whole exchange of another client: what the router wanted to do with the five, it has done by then.
            other.send(get(b"/other"))
            assert other.answer().body == b"/other"
        assert len(router.stable.connections) == 2
        go.set()
        assert [client.answer().body for _ in range(5)] == [b"/%d" % number for number in range(5)]
    router.stable.finish()
    assert router.stable.problems == []


def test_B4_post_bodies_between(router: Router) -> None:
    """Bodies that look like requests stay bodies."""
    inner = get(b"/smuggled")
    post = b"POST /a HTTP/1.1\r\nHost: h\r\n" + COOKIE + b"Content-Length: %d\r\n\r\n" % len(inner) + inner
    chunked = b"POST /b HTTP/1.1\r\nHost: h\r\n" + COOKIE + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n"
    router.stable.play([steps.serve_each(echo)])
    with router.connect() as client:
        client.send(post + chunked + get(b"/c") + post)
        assert [client.answer().body for _ in range(4)] == [b"/a", b"/b", b"/c", b"/a"]
    router.stable.finish()
    assert [request.target for request in router.stable.requests()] == [b"/a", b"/b", b"/c", b"/a"]


def test_an_empty_line_behind_every_request(router: Router) -> None:
    """As old clients send behind a body (RFC 9112 2.2); each is counted anew, also between equal requests."""
    router.stable.play([steps.serve_each(echo)])
    with router.connect() as client:
        for _ in range(5):
            client.send(get(b"/a"))
            assert client.answer().body == b"/a"
            client.send(b"\r\n")
            client.send(get(b"/other") + b"\r\n")
            assert client.answer().body == b"/other"


BAD = {
    "malformed": b"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "garbage": b"\x00\x01\x02\x03\r\n\r\n",
    "two-lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("bad", list(BAD.values()), ids=list(BAD))
@pytest.mark.parametrize("before", [1, 3])
def test_B4_nothing_runs_after_an_error(router: Router, bad: bytes, before: int) -> None:
    router.stable.play([steps.serve_each(echo)])
    with router.connect() as client:
        client.send(get(b"/a") * before + bad + get(b"/b"))
        assert [client.answer().body for _ in range(before)] == [b"/a"] * before
        assert client.answer().status == 400
        assert client.rest() == b""
    router.stable.finish()
    assert [request.target for request in router.stable.requests()] == [b"/a"] * before


def test_B4_nothing_runs_after_close(router: Router) -> None:
    router.stable.play([steps.serve_each(echo)])
    with router.connect() as client:
        client.send(get(b"/a") + get(b"/b", b"Connection: close\r\n") + get(b"/c"))
        assert client.answer().body == b"/a"
        last = client.answer()
        assert (last.body, last.closes) == (b"/b", True)
        assert client.rest() == b""
    router.stable.finish()
    assert [request.target for request in router.stable.requests()] == [b"/a", b"/b"]


def test_B4_garbage_after_close_is_ignored(router: Router) -> None:
    router.stable.play([steps.serve_each(echo)])
    with router.connect() as client:
        client.send(get(b"/a", b"Connection: close\r\n") + b"\0garbage\r\n\r\n")
        assert client.answer().body == b"/a"
        assert client.rest() == b""


def test_B4_nothing_runs_after_a_truncated_answer(router: Router) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"
    router.stable.play([steps.message(), steps.send(cut), steps.close()], [steps.serve_each(echo)])
    with router.connect() as client:
        client.send(get(b"/a") + get(b"/b"))
        assert not client.answer().complete
        assert client.rest() == b""
    assert len(router.stable.connections) == 1


def test_half_close_after_a_request_is_answered(router: Router) -> None:
    """FIN after a whole request is not the end of the client; its answer is still sent, then the connection ends."""
    got = router.stable.gate()
    router.stable.play([steps.message(), steps.wait(got), steps.send(echo(b"/a"))])
    with router.connect() as client:
        client.send(get(b"/a"))
        client.finish()
        router.stable.connection(0)
        got.set()
        answer = client.answer()
        assert (answer.body, answer.complete) == (b"/a", True)
        assert client.rest() == b""


def test_half_close_after_pipelined_requests(router: Router) -> None:
    """At least the first is answered; if others are, then in order and each whole."""
    router.stable.play([steps.serve_each(echo)])
    targets = [b"/a", b"/b", b"/c"]
    with router.connect() as client:
        client.send(b"".join(map(get, targets)))
        client.finish()
        bodies = []
        while (answer := client.answer()).line:
            assert answer.complete
            bodies.append(answer.body)
    assert bodies
    assert bodies == targets[: len(bodies)]


def test_a_close_of_the_upstream_is_not_the_clients(router: Router) -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    router.stable.play([steps.message(), steps.send(closing), steps.close()])
    with router.connect() as client:
        for _ in range(3):
            client.send(get(b"/a"))
            answer = client.answer()
            assert (answer.body, answer.closes) == (b"ok", False)
    assert len(router.stable.connections) == 3

"""The kit itself, proven against what exists without the router: client straight to the scripted upstream."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.client import Client, split
from tests.conformance.reading import Malformed, Reader, normal_answer, normal_request, read_requests
from tests.conformance.upstream import Upstream

POST = b"POST /a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
GET = b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("segments", [[POST + GET], split(POST + GET)], ids=["whole", "bytes"])
def test_records_requests_and_plays_answers(stable: Upstream, segments: list[bytes]) -> None:
    stable.play([steps.serve()])
    with Client(stable.port) as client:
        client.send(*segments)
        answers = [client.answer(), client.answer()]
    stable.finish()
    assert stable.problems == []
    assert bytes(stable.connection(0).data) == POST + GET
    chunked = b"POST /a HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\nhi"
    assert [normal_request(request) for request in stable.requests()] == [chunked, GET]
    assert [normal_answer(answer) for answer in answers] == [b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"] * 2


def test_scripts_by_connection_and_by_step(stable: Upstream) -> None:
    reached, go = stable.gate(), stable.gate()
    first = [steps.head(), steps.body(2), steps.send(b"HTTP/1.1 100 Continue\r\n\r\n"), steps.signal(reached)]
    stable.play([*first, steps.wait(go), steps.send(steps.OK), steps.close()], [steps.message(), steps.reset()])
    with Client(stable.port) as client:
        client.send(POST)
        assert reached.wait(5)
        go.set()
        answer = client.answer()
        assert ([status for status, _ in answer.interim], answer.status) == ([100], 200)
        assert client.rest() == b""
    with Client(stable.port) as client:
        client.send(GET)
        assert not client.answer().complete
        assert client.was_reset


def test_sees_the_peers_close_and_a_cut_request(stable: Upstream) -> None:
    stable.play([steps.hang()])
    with Client(stable.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        stable.connection(0).wait_bytes(49)
        client.finish()
        stable.connection(0).wait_ended()
    (request,) = stable.requests()
    assert (request.complete, request.body) == (False, b"ab")


@pytest.mark.slow
def test_notices_a_peer_that_keeps_its_side_open(stable: Upstream) -> None:
    stable.play([steps.hang()])
    with Client(stable.port) as client:
        client.send(GET)
        stable.connection(0).wait_bytes(len(GET))
        stable.finish()
    assert len(stable.problems) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: trailer\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
        b"NOT HTTP\r\n\r\n",
    ],
)
def test_reading_is_strict(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_requests(data)


def test_truncated_chunks_are_not_complete() -> None:
    reader = Reader(b"GET")
    assert reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n") is None
    found = reader.feed(b"")
    assert found is not None
    assert (found.complete, found.body) == (False, b"ab")


def test_close_delimited_answers_are_complete_at_the_end() -> None:
    reader = Reader(b"GET")
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nab") is None
    found = reader.feed(b"")
    assert found is not None
    assert (found.complete, found.body) == (True, b"ab")


def test_split_covers_every_byte_or_every_line_end() -> None:
    short, long = b"GET / HTTP/1.1\r\n\r\n", b"X: " + b"a" * 5000 + b"\r\n\r\n"
    assert [len(piece) for piece in split(short)] == [1] * len(short)
    pieces = split(long)
    assert b"".join(pieces) == long
    assert pieces[-4:] == [b"\r", b"\n", b"\r", b"\n"]

"""Answers' heads: what goes on, how the body is framed on either side, and what is no answer. h11 agrees."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.wire.fields import HeadLimits
from router.wire.response import CHUNKED, UNTIL_CLOSE, AnswerError, Response, ResponseParser

PARSER = ResponseParser(HeadLimits())


def parse(head: bytes, is_head: bool = False) -> Response:
    return PARSER.parse(head + b"\r\n\r\n", is_head)


LINES = [
    # RFC 9112 4
    (b"HTTP/1.1 200 OK", 200, b"HTTP/1.1 200 OK\r\n"),
    (b"HTTP/1.1 200 ", 200, b"HTTP/1.1 200 \r\n"),
    (b"HTTP/1.1 200", 200, b"HTTP/1.1 200 \r\n"),
    (b"HTTP/1.1 404 Nicht da: \xe9\t!", 404, b"HTTP/1.1 404 Nicht da: \xe9\t!\r\n"),
    (b"HTTP/1.0 599 Odd", 599, b"HTTP/1.1 599 Odd\r\n"),
    (b"HTTP/1.1 103 Early Hints", 103, b"HTTP/1.1 103 Early Hints\r\n"),
]


@pytest.mark.parametrize(("line", "status", "sent"), LINES)
def test_status_lines(line: bytes, status: int, sent: bytes) -> None:
    response = parse(line)
    assert (response.status, response.head) == (status, sent)


BAD = [
    ("RFC 9112 4", b""),
    ("RFC 9112 4", b"HTTP/1.1"),
    ("RFC 9112 4", b"HTTP/1.1 20 OK"),
    ("RFC 9112 4", b"HTTP/1.1 2000 OK"),
    ("RFC 9112 4", b"HTTP/1.1  200 OK"),
    ("RFC 9112 4", b" HTTP/1.1 200 OK"),
    ("RFC 9112 4", b"HTTP/1.1 200OK"),
    ("RFC 9112 4", b"HTTP/1.1 200 \x00"),
    ("RFC 9112 4", b"HTTP/1.1 200 a\rb"),
    ("RFC 9112 4", b"HTTP/1.1 2\xb20 OK"),
    ("RFC 9110 15", b"HTTP/1.1 099 OK"),
    ("RFC 9110 15", b"HTTP/1.1 600 OK"),
    ("RFC 9112 2.3", b"HTTP/1.2 200 OK"),
    ("RFC 9112 2.3", b"HTTP/2 200"),
    ("RFC 9112 2.3", b"http/1.1 200 OK"),
    ("RFC 9112 5.1", b"HTTP/1.1 200 OK\r\nA : b"),
    ("RFC 9112 5.2", b"HTTP/1.1 200 OK\r\nA: b\r\n c"),
    ("RFC 9112 2.2", b"HTTP/1.1 200 OK\r\nA: b\nC: d"),
    ("RFC 9110 5.5", b"HTTP/1.1 200 OK\r\nA: \x00"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: 01"),
    ("F8", b"HTTP/1.1 200 OK\r\nContent-Length: -1"),
    ("F8", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked"),
    ("F8", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip"),
    ("F8", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ("F8", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked"),
    ("F8", b"HTTP/1.1 204 No\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"),
    ("H5", b"HTTP/1.1 200 OK" + b"\r\nA: b" * 101),
    ("H5", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 8192),
    ("H5", b"HTTP/1.1 200 OK" + (b"\r\nA: " + b"b" * 8000) * 5),
]


@pytest.mark.parametrize(("rule", "head"), [pytest.param(*case, id=f"{case[0]} {case[1][:60]!r}") for case in BAD])
def test_what_is_no_answer(rule: str, head: bytes) -> None:
    with pytest.raises(AnswerError):
        parse(head)


CL5, CODED = b"\r\nContent-Length: 5", b"\r\nTransfer-Encoding: chunked"
CL5_OUT, CODED_OUT, CL0_OUT = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n"

FRAMING = [
    # rule, head, answers a HEAD, body from the upstream, framing to the client, no body to the client, connection kept
    ("6.3 rule 6", b"HTTP/1.1 200 OK" + CL5, False, 5, CL5_OUT, False, True),
    ("6.3 rule 6", b"HTTP/1.1 200 OK\r\nContent-Length: 0", False, 0, CL0_OUT, False, True),
    ("6.3 rule 4", b"HTTP/1.1 200 OK" + CODED, False, CHUNKED, CODED_OUT, False, True),
    ("6.3 rule 4", b"HTTP/1.1 200 OK\r\ntransfer-encoding:CHUNKED", False, CHUNKED, CODED_OUT, False, True),
    ("6.3 rule 8", b"HTTP/1.1 200 OK", False, UNTIL_CLOSE, CODED_OUT, False, False),
    ("6.3 rule 8", b"HTTP/1.1 200 OK\r\nConnection: keep-alive", False, UNTIL_CLOSE, CODED_OUT, False, False),
    ("6.3 rule 8", b"HTTP/1.0 200 OK", False, UNTIL_CLOSE, CODED_OUT, False, False),
    ("6.3 rule 6", b"HTTP/1.1 404 No" + CL5, False, 5, CL5_OUT, False, True),
    # F7
    ("6.3 rule 1", b"HTTP/1.1 200 OK" + CL5, True, 0, CL5_OUT, True, True),
    ("6.3 rule 1", b"HTTP/1.1 200 OK" + CODED, True, 0, b"", True, True),
    ("6.3 rule 1", b"HTTP/1.1 200 OK", True, 0, b"", True, True),
    ("6.3 rule 1", b"HTTP/1.1 304 Not Modified" + CL5, False, 0, CL5_OUT, True, True),
    ("6.3 rule 1", b"HTTP/1.1 304 Not Modified", False, 0, b"", True, True),
    ("6.3 rule 1", b"HTTP/1.1 204 No Content", False, 0, b"", True, True),
    ("8.6 of 9110", b"HTTP/1.1 204 No Content" + CL5, False, 0, b"", True, True),
    ("8.6 of 9110", b"HTTP/1.1 204 No Content" + CL5, True, 0, b"", True, True),
    ("6.1", b"HTTP/1.1 204 No Content" + CODED, False, 0, b"", True, True),
    ("6.3 rule 1", b"HTTP/1.1 103 Early Hints" + CL5, False, 0, b"", True, True),
    ("15.3.6 of 9110", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0", False, 0, CL0_OUT, True, True),
    ("15.3.6 of 9110", b"HTTP/1.1 205 Reset Content" + CL5, False, 5, CL0_OUT, True, True),
    ("15.3.6 of 9110", b"HTTP/1.1 205 Reset Content" + CODED, False, CHUNKED, CL0_OUT, True, True),
    ("15.3.6 of 9110", b"HTTP/1.1 205 Reset Content", False, 0, CL0_OUT, True, False),
]


@pytest.mark.parametrize(("rfc", "head", "is_head", "body", "framing", "bodiless", "kept"), FRAMING)
def test_framing(rfc: str, head: bytes, is_head: bool, body: int, framing: bytes, bodiless: bool, kept: bool) -> None:
    response = parse(head, is_head)
    assert (response.body, response.framing, response.bodiless) == (body, framing, bodiless)
    assert response.keep_alive is kept
    assert b"ontent-" not in response.head


FIELDS = [
    ("order, case, duplicates", b"\r\nB: 1\r\na: 2\r\nSet-Cookie: a=b\r\nB:3\r\nSet-Cookie: c=d", None),
    ("obs-text", b"\r\nA: \xff", None),
    ("read, but kept", b"\r\nContent-Type: text/html", None),
    ("H2", b"\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2", b"\r\nX-B: 2"),
    ("H2", b"\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\nTrailer: A\r\nTE: x\r\nUpgrade: h2", b""),
    ("H2", b"\r\nProxy-Connection: a\r\nProxy-Authentication-Info: b", b""),
    ("ours", b"\r\nX-Request-Id: r\r\nX-Cutover-Arm: canary", b""),
    ("F4", b"\r\nContent-Length: 1", b""),
    ("F4", b"\r\nConnection: content-length\r\nContent-Length: 1", b""),
]


@pytest.mark.parametrize(("rule", "sent", "left"), FIELDS)
def test_fields_that_go_on(rule: str, sent: bytes, left: bytes | None) -> None:
    response = parse(b"HTTP/1.1 200 OK" + sent)
    assert response.head == b"HTTP/1.1 200 OK" + (sent if left is None else left) + b"\r\n"


@pytest.mark.parametrize(
    ("line", "connection", "kept"),
    [
        # RFC 9112 9.3
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"\r\nConnection: Close", False),
        (b"HTTP/1.1", b"\r\nConnection: x\r\nConnection: close", False),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"\r\nConnection: keep-alive", True),
        (b"HTTP/1.0", b"\r\nConnection: keep-alive, close", False),
    ],
)
def test_persistence(line: bytes, connection: bytes, kept: bool) -> None:
    assert parse(line + b" 200 OK\r\nContent-Length: 0" + connection).keep_alive is kept


@pytest.mark.parametrize(
    ("head", "upgrades"),
    [
        (b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket", True),
        (b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: WebSocket\r\nSec-WebSocket-Accept: x", True),
        (b"HTTP/1.1 101 S\r\nUpgrade: websocket", False),
        (b"HTTP/1.1 101 S\r\nConnection: Upgrade", False),
        (b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c", False),
        (b"HTTP/1.1 200 S\r\nConnection: Upgrade\r\nUpgrade: websocket", False),
    ],
)
def test_switching_protocols(head: bytes, upgrades: bool) -> None:
    """RFC 6455 4.1."""
    assert parse(head).upgrades is upgrades


@pytest.mark.parametrize(
    ("field", "streams"),
    [
        (b"", False),
        (b"\r\nContent-Type: text/html", False),
        (b"\r\nContent-Type: text/event-stream", True),
        (b"\r\ncontent-type: Text/Event-Stream; charset=utf-8", True),
    ],
)
def test_event_streams_are_known(field: bytes, streams: bool) -> None:
    assert parse(b"HTTP/1.1 200 OK" + field).streams is streams


NAMES = (
    b"Connection Content-Length Transfer-Encoding Keep-Alive A Set-Cookie content_length X-Request-Id Upgrade".split()
)
VALUES = [
    b"0",
    b"3",
    b"03",
    b"chunked",
    b"gzip",
    b"close",
    b"keep-alive, a",
    b"",
    b"\xe9",
    b"websocket",
    b"content-length",
]
HEADS = st.builds(
    lambda line, section: line + b"".join(b"\r\n%b%b%b" % parts for parts in section),
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 404 No", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 N", b"HTTP/1.1 304 N"]),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([b":", b": "]), st.sampled_from(VALUES)), max_size=5),
)


@given(HEADS, st.booleans())
@settings(max_examples=400)
def test_h11_finds_the_same_end(head: bytes, is_head: bool) -> None:
    """For both readers: the upstream's answer as it came, and the one that we make of it."""
    try:
        response = parse(head, is_head)
    except AnswerError:
        return
    client = b"Transfer-Encoding: chunked\r\n" in response.framing
    for data, chunked in (
        (head + b"\r\n\r\n", response.body == CHUNKED),
        (response.head + response.framing + b"\r\n", client),
    ):
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="HEAD" if is_head else "GET", target="/", headers=[("Host", "h")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(data)
        event = connection.next_event()
        assert isinstance(event, h11.Response)
        assert event.status_code == response.status
        connection.receive_data(b"3\r\nabc\r\n0\r\n\r\n" if chunked else b"abc")
        body = b""
        while isinstance(event := connection.next_event(), h11.Data):
            body += event.data
        ended = isinstance(event, h11.EndOfMessage)
        expected = b"" if response.bodiless or response.body == 0 else b"abc"
        assert body == expected
        assert ended is (chunked or response.body >= 0 or response.bodiless)


@given(st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"]), st.binary(max_size=100), st.booleans())
def test_random_bytes_raise_nothing_else(start: bytes, tail: bytes, is_head: bool) -> None:
    try:
        parse(start + tail, is_head)
    except AnswerError:
        pass

"""H2, H5 and field syntax: hop-by-hop fields go, everything else is kept in order, case and bytes; limits."""

from __future__ import annotations

import pytest

from tests.conformance.case import Case, check_error, parameters, run
from tests.conformance.router import Router

START = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"


def request(name: str, fields: bytes, seen: bytes | tuple[bytes, ...], rfc: str = "9110 7.6.1") -> Case:
    wanted = seen if isinstance(seen, tuple) else (seen,)
    return Case(name, rfc, START + fields + b"\r\n", seen=tuple(START + one + b"\r\n" for one in wanted))


def refused(name: str, fields: bytes, saw: int | tuple[int, ...] = 400, rfc: str = "9112 5") -> Case:
    return Case(name, rfc, START + fields + b"\r\n", saw=saw, closes=True)


def answered(name: str, fields: bytes, saw: bytes | None, rfc: str = "9110 7.6.1") -> Case:
    """`saw` None: the answer is refused with 502."""
    tail = b"Content-Length: 2\r\n\r\nok"
    expected = 502 if saw is None else b"HTTP/1.1 200\r\n" + saw + tail
    answer = b"HTTP/1.1 200 OK\r\n" + fields + tail
    closes = None if saw is None else False
    return Case(name, rfc, START + b"\r\n", answer=answer, saw=expected, seen=START + b"\r\n", closes=closes)


HOP = [
    request("H2-connection-close", b"Connection: close\r\n", b""),
    request("H2-connection-names", b"Connection: X-Hop, x-other\r\nX-Hop: 1\r\nX-Keep: 2\r\nX-OTHER: 3\r\n",
            b"X-Keep: 2\r\n"),
    request("H2-connection-names-later", b"X-Hop: 1\r\nX-Hop: 2\r\nConnection: x-hop\r\n", b""),
    request("H2-connection-twice", b"Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\nConnection: X-B\r\n", b""),
    request("H2-connection-odd-list", b"Connection: , ,x-a,\t,keep-alive,\r\nX-A: 1\r\n", b""),
    request("H2-keep-alive", b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n", b""),
    request("H2-proxy", b"Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n", b""),
    request("H2-te", b"TE: trailers\r\nConnection: TE\r\n", b""),
    request("H2-te-alone", b"te: gzip;q=0.5\r\n", b""),
    request("H2-trailer", b"Trailer: X-T\r\n", b""),
    request("H2-upgrade", b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n", b""),
    request("H2-upgrade-not-named", b"Upgrade: websocket\r\n", b""),
    # Naming end-to-end fields is not for a sender to do (7.6.1); a Host that goes missing would break the message.
    request("H2-cannot-name-host", b"Connection: host\r\n", b""),
    request("kept-order", b"X-B: 2\r\nX-A: 1\r\nX-B: 3\r\naccept: */*\r\nACCEPT: b\r\n",
            b"X-B: 2\r\nX-A: 1\r\nX-B: 3\r\naccept: */*\r\nACCEPT: b\r\n", "9110 5.3"),
    request("kept-obs-text", b"X-Name: caf\xe9 \xff\x80\r\n", b"X-Name: caf\xe9 \xff\x80\r\n", "9110 5.5"),
    request("kept-inner-space", b"X-A: a  b\t c\r\n", b"X-A: a  b\t c\r\n", "9110 5.5"),
    request("kept-no-space", b"X-A:a:b\r\nX-E:\r\nX-S: \t \r\n", b"X-A: a:b\r\nX-E: \r\nX-S: \r\n", "9112 5.1"),
    request("kept-token-name", b"!#$%&'*+-.^`|~aZ0: x\r\n", b"!#$%&'*+-.^`|~aZ0: x\r\n", "9110 5.1"),
    request("kept-two-cookies", b"Cookie: a=b\r\n", b"Cookie: a=b\r\n", "6265 5.4"),
    request("kept-conditional", b'If-None-Match: "x"\r\nRange: bytes=0-1\r\nAuthorization: Bearer t\r\nVia: 1.1 v\r\n'
            b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n",
            b'If-None-Match: "x"\r\nRange: bytes=0-1\r\nAuthorization: Bearer t\r\nVia: 1.1 v\r\n'
            b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n", "9110 7.6"),
    request("H5-field-8000", b"X-A: " + b"a" * 8000 + b"\r\n", b"X-A: " + b"a" * 8000 + b"\r\n", "6585 5"),
    request("H5-head-30000", (b"X-A: " + b"a" * 7000 + b"\r\n") * 4, (b"X-A: " + b"a" * 7000 + b"\r\n") * 4, "6585 5"),
    request("H5-fields-100", b"X: y\r\n" * 98, b"X: y\r\n" * 98, "6585 5"),
]  # fmt: skip
HOP[0] = Case("H2-connection-close", "9110 7.6.1", HOP[0].send, seen=HOP[0].seen, closes=True)

SYNTAX = [
    refused("space-before-colon", b"X-A : 1\r\n"),
    refused("tab-before-colon", b"X-A\t: 1\r\n"),
    refused("leading-space", b" X-A: 1\r\n"),
    refused("obs-fold", b"X-A: 1\r\n 2\r\n", 400, "9112 5.2"),
    refused("obs-fold-tab", b"X-A: 1\r\n\t2\r\n", 400, "9112 5.2"),
    refused("no-colon", b"X-A\r\n"),
    refused("empty-name", b": 1\r\n"),
    refused("name-bracket", b"X[A]: 1\r\n"),
    refused("name-quote", b'X"A: 1\r\n'),
    refused("name-obs-text", b"X-\xe9: 1\r\n"),
    refused("name-nul", b"X-\0: 1\r\n"),
    refused("value-nul", b"X-A: a\0b\r\n", 400, "9110 5.5"),
    refused("value-bare-cr", b"X-A: a\rb\r\n", 400, "9112 2.2"),
    refused("value-bare-lf", b"X-A: a\nX-B: b\r\n", 400, "9112 2.2"),
    refused("value-cr-at-end", b"X-A: a\r\r\n", 400, "9112 2.2"),
    refused("value-control", b"X-A: a\x01b\r\n", 400, "9110 5.5"),
    refused("value-escape", b"X-A: \x1b[31m\r\n", 400, "9110 5.5"),
    refused("value-del", b"X-A: a\x7f\r\n", 400, "9110 5.5"),
    refused("H5-field-9000", b"X-A: " + b"a" * 9000 + b"\r\n", 431, "6585 5"),
    refused("H5-name-9000", b"a" * 9000 + b": x\r\n", 431, "6585 5"),
    refused("H5-head-35000", (b"X-A: " + b"a" * 7000 + b"\r\n") * 5, 431, "6585 5"),
    refused("H5-fields-101", b"X: y\r\n" * 99, 431, "6585 5"),
    refused("H5-fields-5000", b"X: y\r\n" * 5000, 431, "6585 5"),
]

BIG = b"X-A: " + b"a" * 7000 + b"\r\n"
ANSWERS = [
    answered("H2-answer-hop", b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nX-Keep: 1\r\n",
             b"X-Keep: 1\r\n"),
    answered("H2-answer-proxy", b"Proxy-Connection: close\r\nTrailer: X\r\nUpgrade: h2\r\n", b""),
    answered("H2-answer-names-framing", b"Connection: content-length\r\n", b""),
    answered("kept-answer-order",
             b"X-B: 2\r\nSet-Cookie: a=1; Path=/\r\nx-a: 1\r\nSet-Cookie: b=2\r\nSET-COOKIE: a=3\r\n",
             b"X-B: 2\r\nSet-Cookie: a=1; Path=/\r\nx-a: 1\r\nSet-Cookie: b=2\r\nSET-COOKIE: a=3\r\n", "9110 5.3"),
    answered("kept-answer-bytes", b"Server: a\xe9\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nX-E:\r\n",
             b"Server: a\xe9\r\nX-E: \r\n", "9110 5.5"),
    answered("H5-answer-field-8000", b"X-A: " + b"a" * 8000 + b"\r\n", b"X-A: " + b"a" * 8000 + b"\r\n", "6585 5"),
    answered("H5-answer-field-9000", b"X-A: " + b"a" * 9000 + b"\r\n", None, "6585 5"),
    answered("H5-answer-head-35000", BIG * 5, None, "6585 5"),
    answered("H5-answer-fields-100", b"X: y\r\n" * 99, b"X: y\r\n" * 99, "6585 5"),
    answered("H5-answer-fields-101", b"X: y\r\n" * 100, None, "6585 5"),
    answered("answer-space-before-colon", b"X-A : 1\r\n", None, "9112 5.1"),
    answered("answer-nul", b"X-A: a\0b\r\n", None, "9110 5.5"),
    answered("answer-bare-cr", b"X-A: a\rb\r\n", None, "9112 2.2"),
    answered("answer-control", b"X-A: a\x01b\r\n", None, "9110 5.5"),
    answered("answer-no-colon", b"X-A\r\n", None, "9112 5"),
    answered("answer-name", b"X(A: 1\r\n", None, "9110 5.1"),
    answered("answer-obs-fold", b"X-A: 1\r\n 2\r\n", None, "9112 5.2"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "variant"), parameters(HOP + SYNTAX + ANSWERS))
def test_fields(case: Case, variant: str, router: Router) -> None:
    run(case, variant, router)


@pytest.mark.parametrize("endless", [b"X: " + b"a" * 9000, b"X: y\r\n" * 6000, (b"X: " + b"a" * 6000 + b"\r\n") * 6])
def test_H5_endless_heads_are_refused_before_their_end(router: Router, endless: bytes) -> None:
    with router.connect() as client:
        client.send(START + endless)
        answer = client.answer()
        assert answer.status == 431
        check_error(answer)
        assert client.rest() == b""

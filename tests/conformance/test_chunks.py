"""F5, F6, F9: chunked request bodies are read strictly and framed anew; a body that never ends is never forged."""

from __future__ import annotations

import json

import pytest

from tests.conformance import steps
from tests.conformance.case import Case, check_error, parameters, run
from tests.conformance.router import Router

HEAD = b"POST /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\nTransfer-Encoding: chunked\r\n\r\n"
SEEN = HEAD + b"hello world"


def good(name: str, body: bytes, or_status: tuple[int, ...] = ()) -> Case:
    return Case(name, "9112 7.1", HEAD + body, seen=SEEN, or_status=or_status, partial=True)


def bad(name: str, body: bytes, saw: int | tuple[int, ...] = 400) -> Case:
    """The head may have gone upstream already, a whole request never."""
    return Case(name, "9112 7.1", HEAD + body, saw=saw, partial=True, closes=True)


TAIL = b"0\r\n\r\n"
CASES = [
    good("F5-two-chunks", b"5\r\nhello\r\n6\r\n world\r\n" + TAIL),
    good("F5-upper-hex", b"B\r\nhello world\r\n" + TAIL),
    good("F5-lower-hex", b"b\r\nhello world\r\n" + TAIL),
    good("F5-extension", b"b;a=b\r\nhello world\r\n0;last\r\n\r\n", ()),
    good("F5-quoted-extension", b'b;a="b;c d"\r\nhello world\r\n' + TAIL, (400,)),
    good("F5-byte-chunks", b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello world") + TAIL),
    good("F5-leading-zeros", b"000b\r\nhello world\r\n000\r\n\r\n", (400,)),
    good("F5-bad-whitespace", b"b \r\nhello world\r\n" + TAIL, (400,)),
    good("F6-trailer-dropped", b"b\r\nhello world\r\n0\r\nX-Trailer: 1\r\nContent-Length: 3\r\n\r\n"),
    bad("F5-size-empty", b"\r\nhello world\r\n" + TAIL),
    bad("F5-size-word", b"xyz\r\nhello world\r\n" + TAIL),
    bad("F5-size-prefix", b"0xb\r\nhello world\r\n" + TAIL),
    bad("F5-size-plus", b"+b\r\nhello world\r\n" + TAIL),
    bad("F5-size-minus", b"-b\r\nhello world\r\n" + TAIL),
    bad("F5-size-underscore", b"0_b\r\nhello world\r\n" + TAIL),
    bad("F5-size-leading-space", b" b\r\nhello world\r\n" + TAIL),
    bad("F5-size-overflow", b"1000000000000000b\r\nhello world\r\n" + TAIL),
    bad("F5-size-64-bit", b"ffffffffffffffff\r\nhello world\r\n" + TAIL),
    bad("F5-size-many-zeros", b"0" * 9000 + b"b\r\nhello world\r\n" + TAIL, (400, 431)),
    bad("F5-size-bare-lf", b"b\nhello world\r\n" + TAIL),
    bad("F5-size-bare-cr", b"b\rhello world\r\n" + TAIL),
    bad("F5-size-nul", b"b\0\r\nhello world\r\n" + TAIL),
    bad("F5-extension-bare-lf", b"b;a\nhello world\r\n" + TAIL),
    bad("F5-extension-bare-cr", b"b;a\rb\r\nhello world\r\n" + TAIL),
    bad("F5-data-too-long", b"5\r\nhello!\r\n" + TAIL),
    bad("F5-data-bare-lf", b"b\r\nhello world\n" + TAIL),
    bad("F5-data-no-line-end", b"b\r\nhello world" + TAIL),
    bad("F5-last-bare-lf", b"b\r\nhello world\r\n0\n\n"),
    bad("F5-end-bare-lf", b"b\r\nhello world\r\n0\r\n\n"),
    bad("F6-trailer-malformed", b"b\r\nhello world\r\n0\r\nX Trailer: 1\r\n\r\n"),
    bad("F6-trailer-no-colon", b"b\r\nhello world\r\n0\r\nX-Trailer\r\n\r\n"),
    bad("F6-trailer-folded", b"b\r\nhello world\r\n0\r\nX: 1\r\n 2\r\n\r\n"),
    bad("F6-trailer-nul", b"b\r\nhello world\r\n0\r\nX: \0\r\n\r\n"),
    bad("F6-trailer-long", b"b\r\nhello world\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n", (400, 431)),
    bad("F6-trailer-many", b"b\r\nhello world\r\n0\r\n" + b"X: 1\r\n" * 101 + b"\r\n", (400, 431)),
    bad("F6-trailers-large", b"b\r\nhello world\r\n0\r\n" + (b"X: " + b"a" * 7000 + b"\r\n") * 6 + b"\r\n", (400, 431)),
]  # fmt: skip


@pytest.mark.parametrize(("case", "variant"), parameters(CASES))
def test_chunks(case: Case, variant: str, router: Router) -> None:
    run(case, variant, router)


def test_F5_extensions_and_chunk_limits_do_not_go_upstream(router: Router) -> None:
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(HEAD + b"b;secret=1\r\nhello world\r\n0;secret\r\nX-Secret: 1\r\n\r\n")
        assert client.answer().status == 200
    router.stable.finish()
    assert b"ecret" not in router.stable.connection(0).data


@pytest.mark.parametrize("count", [1, 40000], ids=["one-long", "many"])
def test_F5_extension_bytes_are_capped(router: Router, count: int) -> None:
    """Neither one endless extension nor an extension on each of many tiny chunks may cost without bound."""
    extension = b";" + b"a" * (4 * 1024 * 1024 // count)
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(HEAD, (b"1" + extension + b"\r\nx\r\n") * count, TAIL)
        answer = client.answer()
    router.stable.finish()
    check_error(answer)
    assert answer.status in (400, 413, 431)
    assert not any(request.complete for request in router.stable.requests())


CUT = {
    "cl-no-byte": b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
    "cl-short": b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell",
    "chunked-no-byte": HEAD,
    "chunk-short": HEAD + b"5\r\nhel",
    "chunk-boundary": HEAD + b"5\r\nhello\r\n",
    "no-trailer-end": HEAD + b"5\r\nhello\r\n0\r\n",
}


@pytest.mark.parametrize("how", ["fin", "close", "reset"])
@pytest.mark.parametrize("sent", list(CUT.values()), ids=list(CUT))
def test_F9_client_gone_in_its_body_ends_the_upstream_connection(router: Router, sent: bytes, how: str) -> None:
    """9112 8: an incomplete request is never completed on the client's behalf, and its connection isn't reused."""
    arrived = router.stable.gate()
    router.stable.play([steps.head(), steps.signal(arrived), steps.hang()])
    with router.connect() as client:
        client.send(sent)
        assert arrived.wait(5), "the head wasn't forwarded as it came"
        if how == "reset":
            client.reset()
        elif how == "close":
            client.sock.close()
        else:
            client.finish()
        router.stable.connection(0).wait_ended()
        if how == "fin":
            refusal = client.rest()
            assert refusal == b"" or refusal.split(b" ")[1] in (b"400", b"408")
    assert [request.complete for request in router.stable.requests()] == [False]


def test_F5_chunked_body_streams_as_it_comes(router: Router) -> None:
    """The first chunk is upstream before the second one is sent."""
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(HEAD + b"5\r\nhello\r\n")
        upstream = router.stable.connection(0)
        upstream.wait(lambda: b"hello" in upstream.data, "the first chunk")
        client.send(b"6\r\n world\r\n0\r\n\r\n")
        assert client.answer().status == 200
    router.stable.finish()
    (request,) = router.stable.requests()
    assert request.body == b"hello world"


def test_error_bodies_are_json(router: Router) -> None:
    with router.connect() as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        answer = client.answer()
    assert answer.status == 400
    assert set(json.loads(answer.body)["error"]) >= {"code", "message"}

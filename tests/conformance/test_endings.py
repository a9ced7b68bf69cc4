"""F8 and close-delimited answers, step by step: how the end of an answer is told, to new and to old clients."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.client import split
from tests.conformance.reading import normal_answer
from tests.conformance.router import Router

GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
UNFRAMED = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("answer", [UNFRAMED, UNFRAMED.replace(b"/1.1", b"/1.0")], ids=["1.1", "1.0"])
@pytest.mark.parametrize("body", [b"", b"hello", b"x" * 100_000], ids=["empty", "short", "long"])
def test_close_delimited_becomes_chunked(router: Router, answer: bytes, body: bytes) -> None:
    """9112 6.3 rule 8; the client's connection lives on, so its end has to be framed."""
    router.stable.play([steps.message(), steps.send(answer + body), steps.close()], [steps.serve()])
    with router.connect() as client:
        client.send(GET + GET)
        first, second = client.answer(), client.answer()
    assert normal_answer(first) == b"HTTP/1.1 200\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    assert (second.status, second.body) == (200, b"ok")


def test_close_delimited_to_an_old_client(router: Router) -> None:
    router.stable.play([steps.message(), steps.send(UNFRAMED + b"hello"), steps.close()])
    with router.connect() as client:
        client.send(GET.replace(b"1.1", b"1.0"))
        answer = client.answer()
    assert normal_answer(answer) == b"HTTP/1.1 200\r\nX: y\r\n\r\nhello"


def test_close_delimited_ended_by_reset_is_truncated(router: Router) -> None:
    """An RST is no end: a 1.1 client must not be told that the answer is whole."""
    seen = router.stable.gate()
    router.stable.play([steps.message(), steps.send(UNFRAMED + b"hello"), steps.wait(seen), steps.reset()])
    with router.connect() as client:
        client.send(GET)
        client.until(b"hello")
        seen.set()
        assert b"0\r\n\r\n" not in client.rest()


@pytest.mark.parametrize(
    "answer",
    [CHUNKED + b"5\r\nhello\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"],
    ids=["chunked", "cl"],
)
def test_F8_truncated_to_an_old_client_is_a_reset(router: Router, answer: bytes) -> None:
    """Found by tests/fuzz: to 1.0 a chunked answer goes without framing, so after FIN its first half would be all."""
    seen = router.stable.gate()
    router.stable.play([steps.message(), steps.send(answer), steps.wait(seen), steps.close()])
    with router.connect() as client:
        client.send(GET.replace(b"1.1", b"1.0"))
        client.until(b"hello")
        seen.set()
        assert client.rest() == b""
        assert client.was_reset


@pytest.mark.parametrize(
    ("sent", "rest"),
    [(CHUNKED + b"5\r\nhello\r\n", b"xyz\r\n"), (CHUNKED + b"5\r\nhello\r\n", b"5\r\nhello!!!\r\n0\r\n\r\n")],
    ids=["size", "no-line-end"],
)
def test_F8_bad_chunk_after_the_head_aborts(router: Router, sent: bytes, rest: bytes) -> None:
    seen = router.stable.gate()
    router.stable.play([steps.message(), steps.send(sent), steps.wait(seen), steps.send(rest), steps.hang()])
    with router.connect() as client:
        client.send(GET)
        client.until(b"hello")
        seen.set()
        assert b"0\r\n\r\n" not in client.rest()
    router.stable.connection(0).wait_ended()


def test_F8_late_excess_is_not_reused(router: Router) -> None:
    """The answer was whole and passed on; what comes after its end only costs the upstream its connection."""
    answered = router.stable.gate()
    first = [steps.message(), steps.send(steps.OK), steps.wait(answered), steps.send(steps.OK), steps.hang()]
    router.stable.play(first, [steps.serve(steps.NEXT_ANSWER)])
    with router.connect() as client:
        client.send(GET)
        assert client.answer().body == b"ok"
        answered.set()
        router.stable.connection(0).wait_ended()
        client.send(GET)
        assert client.answer().body == b"next"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello",
        CHUNKED + b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n",
    ],
    ids=["cl", "chunked"],
)
def test_answers_split_at_every_byte(router: Router, answer: bytes) -> None:
    """The client sees the same answer however the upstream's bytes arrive."""
    pieces = [steps.send(piece) for piece in split(answer)]
    router.stable.play([steps.message(), *pieces, steps.serve()])
    with router.connect() as client:
        client.send(GET + GET)
        first, second = client.answer(), client.answer()
    assert (first.status, first.body, first.complete) == (200, b"hello", True)
    assert (second.status, second.body) == (200, b"ok")


def test_statuses_with_a_body_keep_it_whole_when_large(router: Router) -> None:
    body = bytes(range(256)) * 4096
    router.stable.play([steps.serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)])
    with router.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert answer.body == body

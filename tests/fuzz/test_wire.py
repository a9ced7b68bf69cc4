"""The pure parsers under mutated bytes: no error but the declared ones, what they let through h11's rules let through
too, and a body doesn't depend on how it is cut."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from router.errors import RequestError
from router.wire.body import BodyError, ChunkedBody
from router.wire.fields import HeadLimits
from router.wire.request import RequestParser
from router.wire.response import AnswerError, ResponseParser
from tests.conformance.reading import read_head
from tests.fuzz.mutate import ANSWERS, ODD_ANSWERS, ODD_REQUESTS, REQUESTS, cut, mutate
from tests.fuzz.test_router import SEED

LIMITS = HeadLimits(target=512, field=512, head=2048, fields=20)
BODIES = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"1;a=b\r\na\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\nY: 2\r\n\r\n",
    b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"002\r\n\r\n\r\n00\r\n\r\n",
]
COUNTS = [pytest.param(1_500, id="short"), pytest.param(100_000, id="long", marks=pytest.mark.slow)]


def fuzz(count: int, one: Callable[[Random], None]) -> None:
    """Run `one` for that many seeds; the one that failed is named."""
    for number in range(count):
        try:
            one(Random(f"{SEED}/{number}"))
        except BaseException as failure:
            failure.add_note(f"seed {SEED}, case {number}")
            raise


def head_of(random: Random, seeds: list[bytes]) -> bytes:
    data = mutate(random, random.choice(seeds), seeds)
    return data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.mark.parametrize("count", COUNTS)
def test_request_heads(count: int) -> None:
    parser = RequestParser(LIMITS)

    def one(random: Random) -> None:
        head = head_of(random, REQUESTS + ODD_REQUESTS)
        try:
            request = parser.parse(head)
        except RequestError:
            return
        line, fields = read_head(request.method + b" " + request.target + b" HTTP/1.1" + request.block)
        assert line.count(b" ") == 2
        names = [name.lower() for name, _ in fields]
        assert names.count(b"host") <= 1
        assert not {b"content-length", b"transfer-encoding", b"connection"}.intersection(names)

    fuzz(count, one)


@pytest.mark.parametrize("count", COUNTS)
def test_answer_heads(count: int) -> None:
    parser = ResponseParser(LIMITS)

    def one(random: Random) -> None:
        head = head_of(random, ANSWERS + ODD_ANSWERS)
        try:
            response = parser.parse(head, random.random() < 0.2)
        except AnswerError:
            return
        _, fields = read_head((response.head + response.framing).removesuffix(b"\r\n"))
        framing = [name.lower() for name, _ in fields if name.lower() in (b"content-length", b"transfer-encoding")]
        assert len(framing) == bool(response.framing)

    fuzz(count, one)


def read(pieces: tuple[bytes, ...]) -> tuple[bytes, bytes] | type[BodyError] | None:
    """Payload and rest of a chunked body; None when its end is missing."""
    body, payload, rest = ChunkedBody(LIMITS), b"", b""
    try:
        for piece in pieces:
            if body.done:
                rest += piece
            else:
                payload += body.feed(piece)
    except BodyError:
        return BodyError
    return (payload, body.rest + rest) if body.done else None


@pytest.mark.parametrize("count", COUNTS)
def test_chunked_bodies(count: int) -> None:
    def one(random: Random) -> None:
        data = mutate(random, random.choice(BODIES), BODIES)
        expected = read((data,))
        for _ in range(3):
            pieces = cut(random, data)
            assert read(pieces) == expected, f"{pieces!r} against {data!r}"

    fuzz(count, one)

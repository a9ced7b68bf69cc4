"""The fuzzer itself: its checks can fail, what it prints can be run again, and shrinking keeps what matters."""

from __future__ import annotations

from random import Random

import pytest

from tests.conformance.opinions import Seen
from tests.conformance.reading import Malformed
from tests.fuzz.campaign import case_of
from tests.fuzz.check import Outcome, check
from tests.fuzz.link import Failure, Result, Served
from tests.fuzz.mutate import ANSWER, OK, REQUEST, Case, cut
from tests.fuzz.shrink import shrink

GET = b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n"
OWN = b'HTTP/1.1 502 Bad\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"error": 1}'
CHUNKS = b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE = [Served(b"GET", 0, 0)]


def result(saw: bytes, served: list[Served] = ONE, received: bytes = GET, answered: bytes = OK) -> Result:
    return Result(saw, False, [received], [answered], served)


def test_what_is_right_passes() -> None:
    assert check(Case(REQUEST, (GET,)), result(OK)) == Outcome((200,), (Seen(b"GET", b"/p", b""),))
    assert check(Case(REQUEST, (GET, b"?")), result(OK + OWN)).statuses == (200, 502)
    assert check(Case(ANSWER, (GET,)), result(OWN)).statuses == (502,)


@pytest.mark.parametrize(
    "made",
    [
        result(b""),
        result(OK + OK),
        result(OK[:-1] + b"!"),
        result(OK[:-1]),
        result(OK, served=[]),
        result(OK + OWN + OWN),
        result(OK, received=GET + GET),
        result(OK, received=CHUNKS + b"2\nab\r\n0\r\n\r\n"),
        result(OK, received=CHUNKS[:-2] + b"Content-Length: 0\r\n\r\n0\r\n\r\n"),
    ],
)
def test_requests_that_go_wrong_are_seen(made: Result) -> None:
    with pytest.raises((Failure, Malformed)):
        check(Case(REQUEST, (GET,)), made)


@pytest.mark.parametrize(
    "made",
    [
        result(OK + OK),
        result(OK, answered=OK[:-1]),
        result(OK, answered=b"HTTP/1.1 201 OK" + OK[15:]),
        result(OK[:-1] + b"x"),
    ],
)
def test_answers_that_are_made_up_are_seen(made: Result) -> None:
    with pytest.raises((Failure, Malformed)):
        check(Case(ANSWER, (GET,)), made)


@pytest.mark.parametrize("answered", [OK + b"x", OK[:-1], b"HTTP/1.1 200 OK\r\n\r\nok"])
def test_connections_that_are_used_again_too_early_are_seen(answered: bytes) -> None:
    again = [Served(b"GET", 0, 0, end=len(answered))]
    with pytest.raises(Failure, match="used again"):
        check(Case(ANSWER, (GET,)), result(OK, answered=answered, served=again))


def test_an_old_clients_answer_ends_by_fin_only() -> None:
    made = result(b"HTTP/1.1 200 OK\r\n\r\nab", answered=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
    with pytest.raises(Failure):
        check(Case(ANSWER, (GET,)), made)
    made.was_reset = True
    check(Case(ANSWER, (GET,)), made)


def test_a_printed_case_is_the_case() -> None:
    for number in range(200):
        case = case_of(7, number)
        assert eval(repr(case), {"Case": Case}) == case
        assert case == case_of(7, number)
    assert len({case_of(7, number) for number in range(200)}) > 150


def test_cuts_lose_nothing() -> None:
    random = Random(1)
    assert all(b"".join(cut(random, GET)) == GET for _ in range(100))


def test_shrinking_keeps_what_fails() -> None:
    case = Case(ANSWER, (b"abc", b"dXef"), ((b"12", b"3Y4"), (OK,)))
    small = shrink(case, lambda each: b"X" in each.bytes and b"Y" in b"".join(each.answers[0]))
    assert (small.send, small.answers) == ((b"X",), ((b"Y",), (OK,)))
    assert shrink(case, lambda each: False) == case

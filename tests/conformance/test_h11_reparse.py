"""h11 re-parses all that the router emits, to either side, for generated exchanges in generated segments."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance import steps
from tests.conformance.generate import Exchange, cuts, exchanges, requests, segments
from tests.conformance.opinions import agreed
from tests.conformance.reading import normal_answer, normal_request
from tests.conformance.router import Router
from tests.conformance.upstream import Connection, ScriptOver, Step

EXAMPLES = 150
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


def scripted(todo: list[Exchange], places: list[float]) -> Step:
    """Answers the exchanges in their order, over however many connections they come."""

    def step(connection: Connection) -> None:
        while todo:
            connection.message()
            exchange = todo.pop(0)
            for piece in cuts(exchange.answer.wire, places):
                connection.send(piece)
            if exchange.answer.ends:
                connection.close()
        raise ScriptOver

    return step


@pytest.mark.slow
@BOUNDED
@given(st.lists(exchanges(), min_size=1, max_size=3), segments, segments)
def test_every_exchange_arrives_as_it_was_meant(
    router: Router, wanted: list[Exchange], client_cuts: list[float], upstream_cuts: list[float]
) -> None:
    router.stable.play([scripted(list(wanted), upstream_cuts)])
    with router.connect() as client:
        client.send(*cuts(b"".join(exchange.request.wire for exchange in wanted), client_cuts))
        answers = [client.answer(exchange.method) for exchange in wanted]
        for exchange, answer in zip(wanted, answers, strict=True):
            assert normal_answer(answer) == exchange.answer.expected
            assert answer.complete
            assert not answer.closes
    router.stable.finish()
    assert router.stable.problems == []
    seen = router.stable.requests()
    assert [normal_request(request) for request in seen] == [exchange.request.expected for exchange in wanted]


METHODS = st.sampled_from([b"GET", b"POST", b"PUT"])
INSERTS = [
    b"", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\0", b"\xff", b",", b";", b"0", b"1", b"-", b"_",
    b"\r\nContent-Length: 5\r\n", b"\r\nTransfer-Encoding: chunked\r\n", b"\r\nHost: i\r\n", b"GET /in HTTP/1.1\r\n",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """One or two valid requests with a few bytes replaced, removed, doubled or put in."""
    wire = bytearray(
        b"".join(draw(requests(method)).wire for method in draw(st.lists(METHODS, min_size=1, max_size=2)))
    )
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, min(len(wire) - 1, 400)))
        length = draw(st.integers(0, 3))
        put = draw(st.sampled_from(INSERTS))
        wire[at : at + length] = put
    return bytes(wire)


@pytest.mark.slow
@BOUNDED
@given(damaged(), segments)
def test_damaged_requests_never_make_the_sides_disagree(router: Router, wire: bytes, places: list[float]) -> None:
    """h11 reads whole requests on the upstream's side, and the client gets as many of the upstream's answers."""
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(*cuts(wire, places))
        client.finish()
        served = 0
        while (answer := client.answer()).line:
            assert answer.complete
            served += answer.status == 200
    router.stable.finish()
    assert router.stable.problems == []
    seen = [request for request in router.stable.requests() if request.complete]
    assert sum(len(agreed(bytes(connection.data))) for connection in router.stable.connections) == len(seen)
    # An answer may be lost to the client's own close, a request never made up.
    assert served <= len(seen) <= served + 1

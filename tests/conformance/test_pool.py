"""The pool of upstream connections: which one is reused, which one never again, and the one safe retry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.client import Client
from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Connection, Step, Upstream

COOKIE = b"Cookie: cutover_id=0\r\n"
GET = b"GET /p HTTP/1.1\r\nHost: h\r\n" + COOKIE + b"\r\n"
SMALL = """
[timeouts]
pool_wait = 0.5
upstream_idle = 0.3
[limits]
pool = 1
queue = 1
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    with running_router(tmp_path_factory.mktemp("small"), stable, canary, SMALL) as running:
        yield running


def request(method: bytes, body: bytes = b"", chunked: bool = False) -> bytes:
    head = method + b" /p HTTP/1.1\r\nHost: h\r\n" + COOKIE
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    return head + (b"Content-Length: %d\r\n\r\n" % len(body) if body else b"\r\n") + body


def serve_number(connection: Connection) -> None:
    """Answers name the connection that they came over."""
    while True:
        connection.message()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % connection.number)


def ask(client: Client, what: bytes = GET) -> bytes:
    client.send(what)
    answer = client.answer()
    assert answer.status == 200, answer.raw
    return answer.body


def test_connections_are_reused_across_clients(router: Router) -> None:
    router.stable.play([serve_number])
    for _ in range(5):
        with router.connect() as client:
            assert ask(client) == b"0"


def test_newest_first(router: Router) -> None:
    """Three in use at once; the one that became idle last serves all that follows."""
    gates = [router.stable.gate() for _ in range(3)]

    def script(number: int) -> list[Step]:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number
        return [steps.message(), steps.wait(gates[number]), steps.send(answer), serve_number]

    router.stable.play(*(script(number) for number in range(3)))
    clients = [router.connect() for _ in range(3)]
    try:
        for number, client in enumerate(clients):
            client.send(GET)
            router.stable.connection(number).wait_bytes(10)
        for number in (1, 2, 0):
            gates[number].set()
            assert clients[number].answer().body == b"%d" % number
        assert [ask(client) for client in clients * 2] == [b"0"] * 6
    finally:
        for client in clients:
            client.sock.close()


def test_bounded_queue_refuses_at_once(small: Router) -> None:
    """One connection, one place in the queue: the third is refused, the second served when the first is done."""
    go = small.stable.gate()
    small.stable.play([steps.message(), steps.wait(go), steps.send(steps.OK), steps.serve()])
    with small.connect() as first, small.connect() as second, small.connect() as third:
        first.send(GET)
        small.stable.connection(0).wait_bytes(len(GET))
        second.send(GET)
        third.send(GET)
        # Which of the two got the place isn't told from outside; exactly one of them is refused.
        refused = {}
        for name, client in (("second", second), ("third", third)):
            client.sock.settimeout(0.2)
            try:
                refused[name] = client.answer()
            except TimeoutError:
                client.sock.settimeout(8)
        assert len(refused) == 1
        (answer,) = refused.values()
        assert answer.status == 503
        assert (answer.value(b"retry-after") or b"").isdigit()
        check_error(answer)
        go.set()
        assert first.answer().status == 200
        assert (third if "second" in refused else second).answer().status == 200
    assert len(small.stable.connections) == 1


def test_queue_is_timed(small: Router) -> None:
    small.stable.play([steps.hang()])
    with small.connect() as first, small.connect() as second:
        first.send(GET)
        small.stable.connection(0).wait_bytes(len(GET))
        second.send(GET)
        answer = second.answer()
        assert answer.status == 503
        assert (answer.value(b"retry-after") or b"").isdigit()
        check_error(answer)
    assert len(small.stable.connections) == 1


def test_queued_client_that_leaves_is_not_served(small: Router) -> None:
    go = small.stable.gate()
    small.stable.play([steps.message(), steps.wait(go), steps.send(steps.OK), steps.serve()])
    with small.connect() as first:
        first.send(GET)
        small.stable.connection(0).wait_bytes(len(GET))
        with small.connect() as second:
            second.send(GET.replace(b"/p", b"/gone"))
            second.reset()
        with small.connect() as third:
            third.send(GET)
            go.set()
            assert first.answer().status == 200
            # The place in the queue may or may not be free again when the third comes; it gets a clean answer.
            assert third.answer().status in (200, 503)


def test_idle_connections_close_before_the_upstream_does(small: Router) -> None:
    small.stable.play([steps.serve()])
    with small.connect() as client:
        ask(client)
        small.stable.connection(0).wait_ended()
        assert ask(client) == b"ok"
    assert len(small.stable.connections) == 2


@pytest.mark.parametrize("stray", [b"x", b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n", b"\r\n"])
def test_stray_bytes_while_idle_close(router: Router, stray: bytes) -> None:
    answered = router.stable.gate()
    first = [steps.message(), steps.send(steps.OK), steps.wait(answered), steps.send(stray), steps.hang()]
    router.stable.play(first, [serve_number])
    with router.connect() as client:
        assert ask(client) == b"ok"
        answered.set()
        router.stable.connection(0).wait_ended()
        assert ask(client) == b"1"


@pytest.mark.parametrize("end", [steps.half_close(), steps.reset()], ids=["fin", "reset"])
def test_end_while_idle_closes(router: Router, end: Step) -> None:
    answered = router.stable.gate()
    first = [steps.message(), steps.send(steps.OK), steps.wait(answered), end, steps.hang()]
    router.stable.play(first, [serve_number])
    with router.connect() as client:
        assert ask(client) == b"ok"
        answered.set()
        router.stable.connection(0).wait_ended()
        assert ask(client, request(b"POST", b"hi")) == b"1"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["close", "1.0"],
)
def test_answers_that_end_the_connection(router: Router, answer: bytes) -> None:
    """9112 9.3, 9.6: `close`, or 1.0 without keep-alive: the router closes and doesn't send another."""
    router.stable.play([steps.message(), steps.send(answer), steps.hang()], [serve_number])
    with router.connect() as client:
        assert ask(client) == b"ok"
        router.stable.connection(0).wait_ended()
        assert ask(client) == b"1"


def test_request_not_fully_sent_is_not_reused(router: Router) -> None:
    """An answer to half a body: what follows on that connection would be taken for the other half."""
    early = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    router.stable.play([steps.head(), steps.body(2), steps.send(early), steps.hang()], [serve_number])
    with router.connect() as client:
        client.send(request(b"POST", b"hello")[:-3])
        assert client.answer().body == b"ok"
        router.stable.connection(0).wait_ended()
    with router.connect() as client:
        assert ask(client) == b"1"
    assert router.stable.connection(0).data.endswith(b"\r\n\r\nhe")


def dies_on_second(*before: Step) -> list[Step]:
    """Serves one request, then ends while it reads the next one: the race that every keep-alive pool has."""
    return [steps.message(), steps.send(steps.OK), steps.message(), *before, steps.close()]


RETRIED = {
    "get": GET,
    "head": request(b"HEAD"),
    "options": request(b"OPTIONS"),
    "delete": request(b"DELETE"),
    "put": request(b"PUT", b"hello"),
    "put-chunked": request(b"PUT", b"hello", chunked=True),
    "get-body": request(b"GET", b"hello"),
}


@pytest.mark.parametrize("again", list(RETRIED.values()), ids=list(RETRIED))
def test_one_retry_for_idempotent_requests(router: Router, again: bytes) -> None:
    """9110 9.2.2, 9112 9.3.1: a reused connection that ends without a byte; the second time it is the same bytes."""
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    router.stable.play(dies_on_second(), [steps.serve(empty)])
    with router.connect() as client:
        assert ask(client) == b"ok"
        client.send(again)
        answer = client.answer(again.split(b" ")[0])
        assert answer.status == 200
    router.stable.finish()
    _, first, second = router.stable.requests()
    assert (first.line, first.fields, first.body) == (second.line, second.fields, second.body)
    assert len(router.stable.connections) == 2


NOT_RETRIED = {
    "post": request(b"POST", b"hello"),
    "post-empty": request(b"POST"),
    "patch": request(b"PATCH", b"hello"),
    "put-too-large": request(b"PUT", b"x" * 100_000),
    "put-too-large-chunked": request(b"PUT", b"x" * 100_000, chunked=True),
}


@pytest.mark.parametrize("again", list(NOT_RETRIED.values()), ids=list(NOT_RETRIED))
def test_no_retry_once_written(router: Router, again: bytes) -> None:
    router.stable.play(dies_on_second(), [steps.serve()])
    with router.connect() as client:
        assert ask(client) == b"ok"
        client.send(again)
        answer = client.answer()
        assert answer.status == 502
        check_error(answer)
    router.stable.finish()
    assert len(router.stable.requests()) == 2


def test_no_retry_after_an_answer_byte(router: Router) -> None:
    router.stable.play(dies_on_second(steps.send(b"H")), [steps.serve()])
    with router.connect() as client:
        assert ask(client) == b"ok"
        client.send(GET)
        assert client.answer().status == 502
    assert len(router.stable.connections) == 1


def test_no_retry_on_a_fresh_connection(router: Router) -> None:
    router.stable.play([steps.message(), steps.close()], [steps.serve()])
    with router.connect() as client:
        client.send(GET)
        assert client.answer().status == 502
    assert len(router.stable.connections) == 1


def test_one_retry_only(router: Router) -> None:
    router.stable.play(dies_on_second(), [steps.message(), steps.close()], [steps.serve()])
    with router.connect() as client:
        assert ask(client) == b"ok"
        client.send(GET)
        assert client.answer().status == 502
    assert len(router.stable.connections) == 2


def test_a_retry_takes_a_fresh_connection(router: Router) -> None:
    """Two idle connections, both about to die: the retry mustn't take the other stale one."""
    go = router.stable.gate()
    both = [steps.message(), steps.wait(go), steps.send(steps.OK), steps.message(), steps.close()]
    router.stable.play(both, both, [serve_number])
    with router.connect() as one, router.connect() as other:
        one.send(GET)
        other.send(GET)
        router.stable.connection(1).wait_bytes(len(GET))
        go.set()
        assert [one.answer().status, other.answer().status] == [200, 200]
        assert ask(one) == b"2"

"""Every timer of the data plane, at 0.3 s (the router sweeps each 0.1 s): what happens when it runs out.

Nothing here asserts how long anything took: a timer that doesn't fire hangs the case until its deadline.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.client import Client
from tests.conformance.router import ROUTES, Router, running_router
from tests.conformance.upstream import HANG, Upstream

GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"
SHORT = """
[timeouts]
head = 0.3
body_idle = 0.3
keep_alive = 0.3
half_close = 0.3
connect = 0.3
first_byte = 0.6
response_idle = 0.3
write_idle = 0.3
linger = 0.3
"""
PATIENT = """
[[route]]
path = "/patient"
first_byte = 30
[[route]]
path = "/quick"
first_byte = 0.1
"""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    with running_router(tmp_path_factory.mktemp("short"), stable, canary, SHORT, PATIENT + ROUTES) as running:
        yield running


def trickle(client: Client, piece: bytes, gap: float) -> bytes:
    """Send `piece` again and again until an answer or the end comes; returns all that came."""
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(gap):
            try:
                client.sock.sendall(piece)
            except OSError:
                return

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        return client.rest()
    finally:
        stopped.set()
        sender.join()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\n", GET[:-2], b"\r\n"])
def test_head_is_a_deadline(short: Router, start: bytes) -> None:
    """408 since bytes came. An empty line alone is no byte of a head: closed with or without 408."""
    with short.connect() as client:
        client.send(start)
        answer = client.rest()
    assert status(answer) == 408 if start.strip() else answer == b"" or status(answer) == 408


def test_head_deadline_is_not_reset_by_bytes(short: Router) -> None:
    with short.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nX: ")
        assert status(trickle(client, b"a", 0.02)) == 408


def test_silent_connection_is_closed_without_an_answer(short: Router) -> None:
    """`408 only if bytes came`: browsers open spare connections and would take it for the next answer."""
    with short.connect() as client:
        assert client.rest() == b""
        assert not client.was_reset


def test_idle_connection_is_closed_without_an_answer(short: Router) -> None:
    short.stable.play([steps.serve()])
    with short.connect() as client:
        client.send(GET)
        assert client.answer().status == 200
        assert client.rest() == b""
        assert not client.was_reset


def test_second_head_has_its_own_deadline(short: Router) -> None:
    short.stable.play([steps.serve()])
    with short.connect() as client:
        client.send(GET)
        assert client.answer().status == 200
        client.send(b"GET / HT")
        assert status(client.rest()) == 408


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["cl", "chunked"]
)
def test_body_that_stops(short: Router, framing: bytes) -> None:
    short.stable.play([steps.hang()])
    with short.connect() as client:
        client.send(POST + framing + b"\r\n")
        answer = client.answer()
        assert answer.status == 408
        check_error(answer)
        assert answer.closes
        assert client.rest() == b""
    short.stable.connection(0).wait_ended()
    assert not any(request.complete for request in short.stable.requests())


@pytest.mark.slow
def test_body_below_the_minimum_rate(short: Router) -> None:
    """Bytes that come in time, but far too few of them (10 bytes/s where 240 are the least)."""
    short.stable.play([steps.hang()])
    with short.connect() as client:
        client.sock.settimeout(HANG * 4)
        client.send(POST + b"Content-Length: 9999\r\n\r\n")
        assert status(trickle(client, b"x", 0.1)) == 408
    short.stable.connection(0).wait_ended()


@pytest.mark.slow
def test_body_that_comes_slowly_but_steadily_is_served(short: Router) -> None:
    """Longer in sum than body_idle and head; each silence shorter."""
    short.stable.play([steps.message(), steps.send(steps.OK)])
    with short.connect() as client:
        client.send(POST + b"Content-Length: 4096\r\n\r\n")
        pause = threading.Event()
        for _ in range(8):
            client.send(b"x" * 512)
            pause.wait(0.1)
        assert client.answer().status == 200


def test_first_byte(short: Router) -> None:
    short.stable.play([steps.hang()])
    with short.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert answer.status == 504
    check_error(answer)
    short.stable.connection(0).wait_ended()


@pytest.mark.slow
def test_first_byte_of_a_post_is_not_retried(short: Router) -> None:
    short.stable.play([steps.hang()])
    with short.connect() as client:
        client.send(POST + b"Content-Length: 2\r\n\r\nhi")
        assert client.answer().status == 504
    short.stable.finish()
    assert len(short.stable.requests()) == 1


@pytest.mark.slow
def test_first_byte_of_the_canary_is_no_death(short: Router) -> None:
    """Fallback is for refusal, connect timeout and death; a canary that is slow is a 504 of the canary's."""
    short.canary.play([steps.hang()])
    short.stable.play([steps.serve()])
    with short.connect() as client:
        client.send(GET.replace(b"/p", b"/canary/p"))
        answer = client.answer()
    assert (answer.status, answer.value(b"x-cutover-arm")) == (504, b"canary")


@pytest.mark.slow
def test_first_byte_by_route(short: Router) -> None:
    """Two routes with their own: one gives up at once, the other waits much longer than the setting."""
    go = short.stable.gate()
    short.stable.play([steps.message(), steps.wait(go), steps.send(steps.OK)])
    with short.connect() as patient, short.connect() as quick, short.connect() as usual:
        patient.send(GET.replace(b"/p", b"/patient"))
        quick.send(GET.replace(b"/p", b"/quick"))
        usual.send(GET)
        assert quick.answer().status == 504
        assert usual.answer().status == 504
        go.set()
        assert patient.answer().status == 200


@pytest.mark.parametrize("framing", [b"Content-Length: 99", b"Transfer-Encoding: chunked"], ids=["cl", "chunked"])
def test_answer_that_stops_is_aborted(short: Router, framing: bytes) -> None:
    piece = b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"
    short.stable.play(
        [steps.message(), steps.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + piece), steps.hang()]
    )
    with short.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert (answer.status, answer.complete) == (200, False)
    short.stable.connection(0).wait_ended()


def test_event_streams_may_be_silent(short: Router) -> None:
    """Another exchange runs into response_idle first, so the stream outlived it."""
    go = short.stable.gate()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    stream = [
        steps.message(),
        steps.send(head + b"7\r\ndata:1\n\r\n"),
        steps.wait(go),
        steps.send(b"7\r\ndata:2\n\r\n0\r\n\r\n"),
    ]
    stops = [steps.message(), steps.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), steps.hang()]
    short.stable.play(stream, stops, stops)
    with short.connect() as listener:
        listener.send(GET)
        listener.until(b"data:1\n")
        for _ in range(2):
            with short.connect() as other:
                other.send(GET)
                assert not other.answer().complete
        go.set()
        listener.until(b"data:2\n")
        assert listener.exactly(7) == b"\r\n0\r\n\r\n"


@pytest.mark.slow
def test_event_stream_of_a_client_that_left_is_ended(short: Router) -> None:
    """No timer guards a silent event stream; so a closed browser tab (a FIN, nothing to write) must end it somehow."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    short.stable.play([steps.message(), steps.send(head + b"7\r\ndata:1\n\r\n"), steps.hang()])
    with short.connect() as client:
        client.send(GET)
        client.until(b"data:1\n\r\n")
    short.stable.connection(0).wait_ended()


def test_client_that_takes_nothing_is_dropped(short: Router) -> None:
    """write_idle: neither side may be held by a reader that stopped."""
    size = 64 * 1024 * 1024
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    short.stable.play([steps.message(), steps.send(head + b"x" * size)])
    with short.connect(receive_buffer=65536) as client:
        client.send(GET)
        short.stable.connection(0).wait_ended()
        client.rest()
        assert client.was_reset or short.stable.connection(0).sent < size


def test_lingering_ends(short: Router) -> None:
    """After an early answer the router reads on for a while, not for ever: then sending fails."""
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    short.stable.play([steps.head(), steps.send(answer), steps.hang()])
    with short.connect() as client:
        client.send(POST + b"Content-Length: 999999\r\n\r\n")
        assert client.answer().status == 413
        assert client.rest() == b""
        refused = threading.Event()
        for _ in range(int(HANG / 0.05)):
            try:
                client.sock.sendall(b"x")
            except OSError:
                refused.set()
                break
            refused.wait(0.05)
        assert refused.is_set(), "the router still reads what a client sends after its answer"


def test_half_closed_client_is_not_waited_for_long(short: Router) -> None:
    """half_close: FIN after the request, and an upstream that doesn't answer: both connections end."""
    short.stable.play([steps.hang()])
    with short.connect() as client:
        client.send(GET.replace(b"/p", b"/patient"))
        client.finish()
        assert client.rest() == b"" or not client.was_reset
    short.stable.connection(0).wait_ended()


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port whose SYNs go unanswered: a listener that accepts nothing, with its backlog full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield int(listener.getsockname()[1])
        for filler in fillers:
            filler.close()


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["stable", "canary"])
def test_connect(tmp_path_factory: pytest.TempPathFactory, short: Router, deaf: int, arm: str) -> None:
    """Stable: 504. Canary: nothing was sent, so stable answers, even a POST."""
    urls = ((f"http://127.0.0.1:{deaf}",), (short.canary.url,))
    if arm == "canary":
        urls = ((short.stable.url,), (f"http://127.0.0.1:{deaf}",))
    short.stable.play([steps.serve()])
    folder = tmp_path_factory.mktemp("deaf")
    with running_router(folder, short.stable, short.canary, SHORT, arms=urls) as router, router.connect() as client:
        client.send(GET if arm == "stable" else GET.replace(b"/p", b"/canary/p"))
        answer = client.answer()
    if arm == "stable":
        assert answer.status == 504
        check_error(answer)
    else:
        assert (answer.status, answer.value(b"x-cutover-arm")) == (200, b"stable")

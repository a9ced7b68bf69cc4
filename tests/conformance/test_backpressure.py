"""B1-B3: a slow side slows the other one, memory stays bounded, and early answers reach their client."""

from __future__ import annotations

import threading

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.client import Client
from tests.conformance.router import Router
from tests.conformance.upstream import Connection

GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
MB = 1024 * 1024
# Kernel buffers on both legs and the router's own. Linux lets a reader's buffer grow to tcp_rmem, 32 MB on some
# machines, and a writer's to 4 MB; the one of a side that doesn't read stays small.
HELD = 48 * MB
LARGE = 64 * MB


def post(length: int) -> bytes:
    return b"POST /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\nContent-Length: %d\r\n\r\n" % length


def settled(count: int, read: threading.Event) -> None:
    """Nothing tells that no more bytes will move; a second without reading is ample for any that can."""
    assert not read.wait(1.0), count


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [b"/p", b"/canary/p"])
@pytest.mark.parametrize("chunked", [False, True], ids=["cl", "chunked"])
def test_B1_slow_reader_pauses_the_upstream(router: Router, prefix: bytes, chunked: bool) -> None:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % LARGE
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
    send = [steps.send(piece)] * (LARGE // 65536)
    done = threading.Event()
    script = [
        steps.message(),
        steps.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"),
        *send,
        steps.send(b"0\r\n\r\n" if chunked else b""),
        steps.signal(done),
    ]
    router.stable.play(script)
    router.canary.play(script)
    upstream = router.canary if b"canary" in prefix else router.stable
    with router.connect() as client:
        client.send(GET.replace(b"/p", prefix))
        sender = upstream.connection(0)
        settled(sender.sent, done)
        assert sender.sent < HELD, f"{sender.sent} bytes were taken from the upstream while no one read them"
        answer = client.answer()
        assert (answer.complete, len(answer.body)) == (True, LARGE)


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True], ids=["cl", "chunked"])
def test_B1_slow_upstream_pauses_the_client(router: Router, chunked: bool) -> None:
    go, done = router.stable.gate(), threading.Event()
    router.stable.play([steps.head(), steps.wait(go), steps.until(whole_upload), steps.send(steps.OK)])
    sent = 0
    with router.connect() as client:

        def upload() -> None:
            nonlocal sent
            head = post(LARGE)
            if chunked:
                head = head.replace(b"Content-Length: %d" % LARGE, b"Transfer-Encoding: chunked")
            client.sock.sendall(head)
            for _ in range(LARGE // 65536):
                client.sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536)
                sent += 65536
            client.sock.sendall(b"0\r\n\r\n" if chunked else b"")
            done.set()

        sender = threading.Thread(target=upload, daemon=True)
        sender.start()
        settled(sent, done)
        held = sent
        go.set()
        answer = client.answer()
        sender.join(10)
    assert answer.status == 200
    assert held < HELD, f"{held} bytes were taken from the client while no one read them"
    assert router.stable.connection(0).data.count(b"x") >= LARGE


def whole_upload(connection: Connection) -> bool:
    if b"Content-Length" not in connection.data[:1000]:
        return connection.data.endswith(b"\r\n0\r\n\r\n")
    return len(connection.data) >= connection.data.find(b"\r\n\r\n") + 4 + LARGE


@pytest.mark.slow
@pytest.mark.parametrize("how", ["close", "reset"])
def test_B1_client_that_leaves_while_paused_releases_the_upstream(router: Router, how: str) -> None:
    """The upstream's sending fails or its script ends soon; nothing waits for a reader that is gone."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE
    started = router.stable.gate()
    router.stable.play([steps.message(), steps.send(head + b"x" * MB), steps.signal(started), steps.send(b"x" * LARGE)])
    with router.connect(receive_buffer=65536) as client:
        client.send(GET)
        assert started.wait(5)
        if how == "reset":
            client.reset()
    router.stable.connection(0).wait_ended()


def test_B1_upstream_that_leaves_while_the_client_is_slow_loses_nothing(router: Router) -> None:
    """All that came before the upstream's close is the answer's; the client gets it at its own pace."""
    body = b"x" * (4 * MB)
    sent = router.stable.gate()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    router.stable.play([steps.message(), steps.send(head + body), steps.signal(sent), steps.close()])
    with router.connect(receive_buffer=65536) as client:
        client.send(GET)
        client.until(b"\r\n\r\n")
        assert len(client.exactly(len(body))) == len(body)


EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"


def upload_all(client: Client, size: int) -> None:
    """As a simple client does: write everything before the first read."""
    client.send(post(size))
    client.send(*[b"x" * 65536] * (size // 65536))


@pytest.mark.parametrize("end", ["stays", "closes", "resets"])
def test_B2_B3_early_answer_reaches_a_client_that_is_still_sending(router: Router, end: str) -> None:
    """9112 9.5, 9.6: answered before the body is read → close, but lingering, so that no RST destroys the answer."""
    last = {"stays": steps.hang(), "closes": steps.close(), "resets": steps.reset()}[end]
    answered = router.stable.gate()
    pause = [steps.wait(answered)] if end == "resets" else []
    router.stable.play([steps.head(), steps.send(EARLY), *pause, last], [steps.serve()])
    with router.connect() as client:
        client.send(post(2 * MB), b"x" * 65536)
        if end == "resets":
            # An RST may overtake what the router hasn't read; so it comes only when the answer was passed on.
            answer = client.answer()
            answered.set()
        else:
            client.send(*[b"x" * 65536] * (2 * MB // 65536 - 1))
            answer = client.answer()
        assert (answer.status, answer.body, answer.complete) == (413, b"no", True)
        assert answer.closes
        assert client.rest() == b""
        assert not client.was_reset
    router.stable.connection(0).wait_ended()


def test_B2_early_answer_before_the_rest_is_sent(router: Router) -> None:
    """The answer comes while half of the body is still to come: `close`, and nothing of the rest is a request."""
    router.stable.play([steps.head(), steps.body(5), steps.send(EARLY), steps.hang()], [steps.serve()])
    with router.connect() as client:
        client.send(post(10) + b"hello")
        answer = client.answer()
        client.send(b"world" + GET)
        assert answer.closes
        assert client.rest() == b""
    router.stable.connection(0).wait_ended()
    assert len(router.stable.connections) == 1


def test_B3_upstream_gone_mid_upload_without_an_answer(router: Router) -> None:
    router.stable.play([steps.head(), steps.body(5), steps.close()])
    with router.connect() as client:
        upload_all(client, 2 * MB)
        answer = client.answer()
    assert answer.status == 502
    check_error(answer)


def test_error_on_a_large_upload_reaches_the_client(router: Router) -> None:
    """A refused head with its body right behind it: the refusal must not be lost to an RST either."""
    with router.connect() as client:
        client.send(post(2 * MB).replace(b"Host: h\r\n", b""), *[b"x" * 65536] * 32)
        answer = client.answer()
        assert answer.status == 400
        assert client.rest() == b""
        assert not client.was_reset


@pytest.mark.parametrize("how", ["reset", "close"])
def test_F9_client_gone_during_the_answer_ends_the_upstream_connection(router: Router, how: str) -> None:
    """A FIN alone may be a half-close; the next piece that can't be delivered tells that it wasn't."""
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    first = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    gone = router.stable.gate()
    more = [] if how == "reset" else [steps.wait(gone), *[steps.send(piece)] * 500]
    router.stable.play([steps.message(), steps.send(first), *more, steps.hang()])
    with router.connect() as client:
        client.send(GET)
        client.until(b"hello")
        if how == "reset":
            client.reset()
    gone.set()
    router.stable.connection(0).wait_ended()


def test_F9_client_gone_before_the_answer_ends_the_upstream_connection(router: Router) -> None:
    seen = router.stable.gate()
    router.stable.play([steps.message(), steps.signal(seen), steps.hang()])
    with router.connect() as client:
        client.send(GET)
        assert seen.wait(5)
        client.reset()
    router.stable.connection(0).wait_ended()

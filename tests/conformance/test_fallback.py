"""Fallback of the canary to stable: only where a repeat is safe, and always counted against the canary."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.reading import normal_request
from tests.conformance.router import Router, free_port, running_router
from tests.conformance.upstream import Step, Upstream

FIELDS = b" /canary/p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"
GET = b"GET" + FIELDS + b"\r\n"
POST = b"POST" + FIELDS + b"Content-Length: 5\r\n\r\nhello"
PUT = POST.replace(b"POST", b"PUT")
NEXT = GET.replace(b"GET", b"OPTIONS")


def count(router: Router, name: str, **labels: str) -> float:
    """Sum of a counter's series that have these labels."""
    total = 0.0
    status, text = router.admin("GET", "/metrics")
    assert status == 200
    for line in text.decode().splitlines():
        match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if match and all(f'{label}="{value}"' in (match[1] or "") for label, value in labels.items()):
            total += float(match[2])
    return total


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    """The canary's port is closed. Ejection is out of the way: each request tries to connect."""
    arms = ((stable.url,), (f"http://127.0.0.1:{free_port()}",))
    settings = "[health]\ninterval = 0\neject_after = 10000\n"
    with running_router(tmp_path_factory.mktemp("refusing"), stable, canary, settings, arms=arms) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    """Fallback is off."""
    with running_router(tmp_path_factory.mktemp("strict"), stable, canary, "[split]\nfallback = false\n") as running:
        yield running


@pytest.mark.parametrize("send", [GET, PUT, POST], ids=["get", "put", "post"])
def test_refused_connection(refusing: Router, send: bytes) -> None:
    """Nothing was sent to the canary, so any method may go to stable."""
    before = count(refusing, "cutover_fallbacks_total")
    errors = count(refusing, "cutover_upstream_errors_total", arm="canary")
    refusing.stable.play([steps.serve()])
    with refusing.connect() as client:
        client.send(send)
        answer = client.answer()
    assert (answer.status, answer.value(b"x-cutover-arm")) == (200, b"stable")
    refusing.stable.finish()
    (seen,) = refusing.stable.requests()
    assert normal_request(seen) == send
    assert seen.value(b"x-cutover-arm") == b"stable"
    assert count(refusing, "cutover_fallbacks_total") == before + 1
    assert count(refusing, "cutover_upstream_errors_total", arm="canary") == errors + 1


@pytest.mark.parametrize("end", [steps.close(), steps.reset()], ids=["fin", "reset"])
@pytest.mark.parametrize("send", [GET, PUT, NEXT], ids=["get", "put", "options"])
def test_death_before_an_answer(router: Router, send: bytes, end: Step) -> None:
    before = count(router, "cutover_fallbacks_total")
    router.canary.play([steps.message(), end])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(send + send.replace(b"/canary/", b"/"))
        first, second = client.answer(), client.answer()
    assert (first.status, first.value(b"x-cutover-arm")) == (200, b"stable")
    assert second.status == 200
    router.stable.finish()
    assert [normal_request(seen) for seen in router.stable.requests()] == [send, send.replace(b"/canary/", b"/")]
    assert len(router.canary.connections) == 1
    assert count(router, "cutover_fallbacks_total") == before + 1


@pytest.mark.parametrize("chunked", [False, True], ids=["cl", "chunked"])
def test_post_that_was_sent_is_not_repeated(router: Router, chunked: bool) -> None:
    send = POST
    if chunked:
        send = POST.replace(
            b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )
    router.canary.play([steps.message(), steps.close()])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(send)
        answer = client.answer()
    assert (answer.status, answer.value(b"x-cutover-arm")) == (502, b"canary")
    check_error(answer)
    assert router.stable.connections == []


def test_body_too_large_to_keep_is_not_repeated(router: Router) -> None:
    body = b"x" * 200_000
    router.canary.play([steps.message(), steps.close()])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(b"PUT" + FIELDS + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert client.answer().status == 502
    assert router.stable.connections == []


def test_death_after_an_answer_byte_is_the_canarys(router: Router) -> None:
    """`Before any answer byte` for answers that aren't held back; here the head itself never ends."""
    router.canary.play([steps.message(), steps.send(b"HTTP/1.1 200 OK\r\nX: "), steps.close()])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(POST)
        answer = client.answer()
    assert (answer.status, answer.value(b"x-cutover-arm")) == (502, b"canary")
    assert router.stable.connections == []


def test_death_in_a_short_answer_is_repeated(router: Router) -> None:
    """Answers of the canary up to 16 KiB are held back until they are whole; the client sees stable's, alone."""
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 16384\r\nX-From: canary\r\n\r\n" + b"x" * 16000
    router.canary.play([steps.message(), steps.send(cut), steps.close()])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert (answer.status, answer.body, answer.value(b"x-cutover-arm")) == (200, b"ok", b"stable")
    assert answer.value(b"x-from") is None


@pytest.mark.parametrize(
    ("send", "head"),
    [
        (POST, b"Content-Length: 5"),
        (GET, b"Content-Length: 99999"),
        (GET, b"Transfer-Encoding: chunked"),
    ],
    ids=["post", "long", "chunked"],
)
def test_death_in_an_answer_that_streams_is_an_abort(router: Router, send: bytes, head: bytes) -> None:
    piece = b"3\r\nhel\r\n" if b"chunked" in head else b"hel"
    router.canary.play(
        [steps.message(), steps.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + piece), steps.close()]
    )
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(send)
        answer = client.answer()
    assert not answer.complete or answer.status == 502
    assert router.stable.connections == []


def test_stable_streams_short_answers_at_once(router: Router) -> None:
    """On stable nothing is held: the first half is there before the second is sent."""
    go = router.stable.gate()
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    router.stable.play([steps.message(), steps.send(start), steps.wait(go), steps.send(b"world")])
    with router.connect() as client:
        client.send(GET.replace(b"/canary/", b"/"))
        client.until(b"hello")
        go.set()
        assert client.exactly(5) == b"world"


@pytest.mark.parametrize("status", [b"500 Oops", b"503 Busy", b"429 Slow down", b"404 No"])
def test_error_answers_are_answers(router: Router, status: bytes) -> None:
    router.canary.play([steps.serve(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert (answer.status, answer.body, answer.value(b"x-cutover-arm")) == (int(status[:3]), b"no", b"canary")
    assert router.stable.connections == []


def test_distrusted_answer_is_not_repeated(router: Router) -> None:
    """Bytes came, so it isn't a death before any answer byte: 502 (F8)."""
    bad = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    router.canary.play([steps.message(), steps.send(bad), steps.hang()])
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert (answer.status, answer.value(b"x-cutover-arm")) == (502, b"canary")
    assert router.stable.connections == []


def test_fallback_can_be_turned_off(strict: Router) -> None:
    strict.canary.play([steps.message(), steps.close()])
    strict.stable.play([steps.serve()])
    with strict.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert (answer.status, answer.value(b"x-cutover-arm")) == (502, b"canary")
    assert strict.stable.connections == []


def test_stable_has_no_fallback(router: Router) -> None:
    router.stable.play([steps.message(), steps.close()])
    router.canary.play([steps.serve()])
    with router.connect() as client:
        client.send(GET.replace(b"/canary/", b"/"))
        assert client.answer().status == 502
    assert router.canary.connections == []

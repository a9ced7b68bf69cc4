"""E1, E2: Expect and interim answers are relayed end to end, never made up, and bounded."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.case import Case, check_error, parameters, run
from tests.conformance.router import Router

POST = b"POST /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"
EXPECT = POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"


def answered(name: str, answer: bytes, interim: tuple[int, ...], send: bytes = GET, rfc: str = "9110 15.2") -> Case:
    return Case(name, rfc, send, answer=answer + steps.OK, seen=GET, interim=interim)


CASES = [
    Case("E1-sent-at-once", "9110 10.1.1", EXPECT + b"hello", seen=EXPECT.replace(b"\r\n\r\n", b"\r\n\r\nhello")),
    Case("E1-any-case", "9110 10.1.1", EXPECT.replace(b"100-c", b"100-C") + b"hello",
         seen=(EXPECT.replace(b"100-c", b"100-C") + b"hello", EXPECT + b"hello")),
    Case("E1-other", "9110 10.1.1", POST + b"Expect: x-magic\r\nContent-Length: 5\r\n\r\nhello", saw=417, closes=None),
    Case("E1-other-beside", "9110 10.1.1", POST + b"Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\nhello", saw=417,
         closes=None),
    Case("E1-other-get", "9110 10.1.1", GET.replace(b"\r\n\r\n", b"\r\nExpect: y\r\n\r\n"), saw=417, closes=None),
    # 9110 10.1.1: a server must ignore 100-continue in 1.0 requests; so none of it may come back.
    Case("E1-1.0-gets-none", "9110 10.1.1", EXPECT.replace(b"1.1", b"1.0") + b"hello", answer=CONTINUE + steps.OK,
         seen=(EXPECT + b"hello", EXPECT.replace(b"Expect: 100-continue\r\n", b"") + b"hello"), closes=True),
    answered("E2-103", HINTS, (103,)),
    answered("E2-103-twice", HINTS + HINTS, (103, 103)),
    answered("E2-102", b"HTTP/1.1 102 Processing\r\n\r\n", (102,)),
    answered("E2-unknown-1xx", b"HTTP/1.1 199 What\r\nX: y\r\n\r\n", (199,)),
    answered("E2-16", HINTS * 16, (103,) * 16),
    Case("E2-17", "9110 15.2", GET, answer=HINTS * 17 + steps.OK, saw=502, seen=GET, closes=None),
    Case("E2-1.0-gets-none", "9110 15.2", GET.replace(b"1.1", b"1.0"), answer=HINTS + steps.OK, seen=GET, closes=True),
    # 9110 8.6: no Content-Length on 1xx; dropping it or distrusting the answer are both right.
    Case("F7-1xx-cl", "9110 8.6", GET, answer=HINTS.replace(b"Link", b"Content-Length: 3\r\nLink") + steps.OK, seen=GET,
         interim=(103,), or_status=(502,)),
]  # fmt: skip
# E2-17 has relayed some already when it fails; `run` looks at them only for forwarded answers.


@pytest.mark.parametrize(("case", "variant"), parameters(CASES))
def test_interim(case: Case, variant: str, router: Router) -> None:
    run(case, variant, router)


def test_E1_continue_comes_from_the_upstream(router: Router) -> None:
    """The head goes on at once; 100 comes when the upstream says so, and the body only then."""
    seen, go = router.stable.gate(), router.stable.gate()
    script = [steps.head(), steps.signal(seen), steps.wait(go), steps.send(CONTINUE), steps.body(5)]
    router.stable.play([*script, steps.send(steps.OK), steps.serve()])
    with router.connect() as client:
        client.send(EXPECT)
        assert seen.wait(5)
        upstream = router.stable.connection(0)
        assert upstream.data.lower().count(b"expect: 100-continue") == 1
        go.set()
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.send(b"hello")
        assert client.answer().body == b"ok"
        client.send(GET)
        assert client.answer().body == b"ok"
    assert len(router.stable.connections) == 1


@pytest.mark.parametrize("status", [b"413 Too Large", b"401 Unauthorized", b"200 OK"])
def test_E1_final_answer_instead_closes(router: Router, status: bytes) -> None:
    """9110 10.1.1: the body wasn't sent, so what comes next could be taken for it: `close` on both sides."""
    final = b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno"
    router.stable.play([steps.head(), steps.send(final), steps.hang()], [steps.serve()])
    with router.connect() as client:
        client.send(EXPECT)
        answer = client.answer()
        assert (answer.status, answer.body, answer.closes) == (int(status[:3]), b"no", True)
        client.send(GET)
        assert client.rest() == b""
    router.stable.connection(0).wait_ended()
    assert len(router.stable.connections) == 1


def test_E1_final_answer_after_the_body_keeps(router: Router) -> None:
    """The upstream never said 100, but the body was sent all the same: nothing is open, both sides are kept."""
    router.stable.play([steps.message(), steps.send(steps.OK), steps.serve()])
    with router.connect() as client:
        client.send(EXPECT + b"hello")
        answer = client.answer()
        assert (answer.status, answer.closes) == (200, False)
        client.send(GET)
        assert client.answer().status == 200
    assert len(router.stable.connections) == 1


def test_E1_upstream_that_dies_while_the_client_waits(router: Router) -> None:
    router.stable.play([steps.head(), steps.close()])
    with router.connect() as client:
        client.send(EXPECT)
        answer = client.answer()
        assert answer.status == 502
        check_error(answer)
        assert answer.closes
        assert client.rest() == b""


def test_E2_hints_are_relayed_at_once_with_their_fields(router: Router) -> None:
    """103 before the final answer exists; its fields are those of the upstream, in order and case."""
    go = router.stable.gate()
    router.stable.play([steps.message(), steps.send(HINTS), steps.wait(go), steps.send(steps.OK)])
    with router.connect() as client:
        client.send(GET)
        head = client.until(b"\r\n\r\n")
        go.set()
        answer = client.answer()
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 103")
    assert [line for line in lines if line.lower().startswith(b"link")] == [
        b"Link: </a.css>; rel=preload",
        b"link: </b.js>",
    ]
    assert b"content-length" not in head.lower()
    assert answer.body == b"ok"


def test_E2_endless_interim_answers_are_capped(router: Router) -> None:
    router.stable.play([steps.message(), steps.send(HINTS * 5000), steps.hang()])
    with router.connect() as client:
        client.send(GET)
        answer = client.answer()
    assert answer.status == 502
    assert len(answer.interim) <= 16
    router.stable.connection(0).wait_ended()

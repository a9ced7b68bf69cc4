"""F7, F8: answers without a body, answers framed anew, and answers that can't be trusted (RFC 9112 section 6)."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.case import BYTES, WHOLE, Case, on_canary, parameters, run
from tests.conformance.router import Router
from tests.conformance.upstream import Step

REST = b" /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
OLD = b"GET /p HTTP/1.0\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
START = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n"


def passed(name: str, answer: bytes, saw: bytes, method: bytes = b"GET", or_status: tuple[int, ...] = ()) -> Case:
    """`answer` and `saw` (a normal form) start after `HTTP/1.1 `."""
    answer = answer if answer.startswith(b"HTTP/") else b"HTTP/1.1 " + answer
    return Case(name, "9112 6.3", method + REST, answer=answer, saw=b"HTTP/1.1 " + saw, seen=method + REST,
                or_status=or_status)  # fmt: skip


BODILESS = [
    passed("F7-head-cl", b"200 OK\r\nContent-Length: 99\r\n\r\n", b"200\r\nContent-Length: 99\r\n\r\n", b"HEAD"),
    passed("F7-head-none", b"200 OK\r\nX: y\r\n\r\n", b"200\r\nX: y\r\n\r\n", b"HEAD"),
    passed("F7-head-404", b"404 No\r\nContent-Length: 9\r\n\r\n", b"404\r\nContent-Length: 9\r\n\r\n", b"HEAD"),
    passed("F7-204", b"204 No Content\r\nX: y\r\n\r\n", b"204\r\nX: y\r\n\r\n"),
    passed("F7-204-cl", b"204 No Content\r\nContent-Length: 0\r\n\r\n", b"204\r\n\r\n"),
    # 9112 6.1 forbids TE on 204, 6.3 says there is no body: dropping it or distrusting the answer are both right.
    passed("F7-204-te", b"204 No Content\r\n" + CHUNKED + b"\r\n", b"204\r\n\r\n", or_status=(502,)),
    passed("F7-304-cl", b'304 Not Modified\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n',
           b'304\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n'),
    passed("F7-304-none", b"304 Not Modified\r\nX: y\r\n\r\n", b"304\r\nX: y\r\n\r\n"),
    passed("F7-205-cl", b"205 Reset\r\nContent-Length: 0\r\n\r\n", b"205\r\nContent-Length: 0\r\n\r\n"),
    passed("F7-205-chunked", b"205 Reset\r\n" + CHUNKED + b"\r\n0\r\n\r\n", b"205\r\nContent-Length: 0\r\n\r\n"),
    # 9110 15.3.6: a server must not send content in a 205; dropping it or distrusting the answer are both right.
    passed("F7-205-body", b"205 Reset\r\nContent-Length: 2\r\n\r\nhi", b"205\r\nContent-Length: 0\r\n\r\n",
           or_status=(502,)),
]  # fmt: skip

FRAMED = [
    passed("F4-answer-cl", b"200 OK\r\nX: y\r\ncontent-length: 2\r\n\r\nhi",
           b"200\r\nX: y\r\nContent-Length: 2\r\n\r\nhi"),
    passed("F4-answer-cl-0", b"200 OK\r\nContent-Length: 0\r\n\r\n", b"200\r\nContent-Length: 0\r\n\r\n"),
    passed("F4-answer-chunked", START + b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n",
           b"200\r\n" + CHUNKED + b"\r\nhi"),
    passed("F4-answer-chunked-empty", START + b"0\r\n\r\n", b"200\r\n" + CHUNKED + b"\r\n"),
    passed("F6-answer-trailers", b"200 OK\r\nTrailer: X-T\r\n" + CHUNKED + b"\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n",
           b"200\r\n" + CHUNKED + b"\r\nhi"),
    passed("status-404", b"404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"404\r\nContent-Length: 2\r\n\r\nno"),
    passed("status-500", b"500 Oops\r\nContent-Length: 2\r\n\r\nno", b"500\r\nContent-Length: 2\r\n\r\nno"),
    passed("status-599", b"599 ?\r\nContent-Length: 2\r\n\r\nno", b"599\r\nContent-Length: 2\r\n\r\nno"),
    passed("no-reason", b"200 \r\nContent-Length: 2\r\n\r\nhi", b"200\r\nContent-Length: 2\r\n\r\nhi"),
    # 9112 4 wants the space even without a reason; servers that forget it are common: either is right.
    passed("no-reason-no-space", b"200\r\nContent-Length: 2\r\n\r\nhi", b"200\r\nContent-Length: 2\r\n\r\nhi",
           or_status=(502,)),
    passed("answer-1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"200\r\nContent-Length: 2\r\n\r\nhi"),
    passed("answer-close", b"200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
           b"200\r\nContent-Length: 2\r\n\r\nhi"),
]  # fmt: skip


def to_old(name: str, answer: bytes, saw: bytes, keep: bool = False, closes: bool = True) -> Case:
    """The same answers to a 1.0 client: never chunked, kept open only when asked and when the end is known."""
    asked = b"Connection: keep-alive\r\n" if keep else b""
    send = OLD.replace(b"\r\n\r\n", b"\r\n" + asked + b"\r\n")
    return Case(name, "9112 9.3", send, answer=answer, saw=b"HTTP/1.1 " + saw, seen=b"GET" + REST, closes=closes)


OLD_CLIENTS = [
    to_old("1.0-cl", steps.OK, b"200\r\nContent-Length: 2\r\n\r\nok"),
    to_old("1.0-cl-keep-alive", steps.OK, b"200\r\nContent-Length: 2\r\n\r\nok", keep=True, closes=False),
    to_old("1.0-chunked", START + b"2\r\nhi\r\n0\r\n\r\n", b"200\r\n\r\nhi"),
    to_old("1.0-chunked-keep-alive", START + b"2\r\nhi\r\n0\r\n\r\n",
           b"200\r\n\r\nhi", keep=True),
]  # fmt: skip


def distrusted(name: str, answer: bytes, method: bytes = b"GET", or_saw: bytes | None = None) -> Case:
    """F8: 502, and the router closes that upstream connection. Served by stable, so nothing else can answer."""
    saw: bytes | int = 502 if or_saw is None else b"HTTP/1.1 " + or_saw
    return Case(name, "9112 6.3", method + REST, script=(steps.message(), steps.send(answer), steps.serve()), saw=saw,
                seen=method + REST, closes=None, or_status=(502,), releases=True)  # fmt: skip


DISTRUSTED = [
    distrusted("F8-cl-and-te", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + CHUNKED + b"\r\n2\r\nhi\r\n0\r\n\r\n"),
    distrusted("F8-cl-twice-other", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"),
    distrusted("F8-cl-bad", b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi"),
    distrusted("F8-cl-negative", b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi"),
    distrusted("F8-cl-long", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nhi"),
    distrusted("F8-te-gzip", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi"),
    distrusted("F8-te-gzip-chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    distrusted("F8-te-twice", b"HTTP/1.1 200 OK\r\n" + CHUNKED * 2 + b"\r\n0\r\n\r\n"),
    distrusted("F8-te-1.0", b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n2\r\nhi\r\n0\r\n\r\n"),
    distrusted("F8-chunk-first-bad", START + b"xyz\r\nhi\r\n0\r\n\r\n"),
    distrusted("F8-excess-after-cl", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!"),
    distrusted("F8-second-answer", steps.OK + steps.OK),
    distrusted("F8-excess-after-chunks", START + b"2\r\nhi\r\n0\r\n\r\nmore"),
    distrusted("F8-excess-after-204", b"HTTP/1.1 204 No\r\n\r\nmore"),
    distrusted("F8-excess-after-304", b"HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\nmore"),
    distrusted("F8-excess-after-head", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore", b"HEAD"),
    distrusted("F8-garbage", b"SSH-2.0-OpenSSH\r\n\r\n"),
    distrusted("F8-http2", b"HTTP/2 200\r\n\r\n"),
    distrusted("F8-version", b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    distrusted("F8-version-1.2", b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi",
               or_saw=b"200\r\nContent-Length: 2\r\n\r\nhi"),
    distrusted("F8-status-word", b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nhi"),
    distrusted("F8-status-2-digits", b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi"),
    distrusted("F8-status-4-digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi"),
    distrusted("F8-status-0", b"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nhi"),
    distrusted("F8-reason-control", b"HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nhi",
               or_saw=b"200\r\nContent-Length: 2\r\n\r\nhi"),
]  # fmt: skip
# F8-version-1.2: 9110 2.5 lets a recipient take a higher minor version as its own; the reason phrase needn't be
# read at all (9112 4). In both, the connection's further use is the router's choice.
DISTRUSTED = [
    Case(case.id, case.rfc, case.send, script=case.script, saw=case.saw, seen=case.seen, closes=None,
         or_status=(502,), releases=not isinstance(case.saw, bytes))
    for case in DISTRUSTED
]  # fmt: skip


def ended(name: str, *script: Step, saw: bytes | None = None) -> Case:
    """What an answer is when the upstream ends the connection: complete (`saw`), 502 (None), or truncated (b"")."""
    return Case(name, "9112 8", b"GET" + REST, script=(steps.message(), *script),
                saw=502 if saw is None else b"HTTP/1.1 " + saw, seen=b"GET" + REST,
                truncated=saw == b"", closes=None if saw is None else saw == b"", variants=(WHOLE, BYTES))  # fmt: skip


ENDINGS = [
    ended("F8-closed-before-answer", steps.close()),
    ended("F8-reset-before-answer", steps.reset()),
    ended("F8-closed-in-head", steps.send(b"HTTP/1.1 200 OK\r\nContent-"), steps.close()),
    ended("F8-closed-in-status-line", steps.send(b"HTT"), steps.close()),
    ended("F8-truncated-cl", steps.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), steps.close(), saw=b""),
    ended("F8-truncated-chunk", steps.send(START + b"5\r\nhel"), steps.close(), saw=b""),
    ended("F8-truncated-chunks", steps.send(START + b"5\r\nhello\r\n"), steps.close(), saw=b""),
    ended("F8-truncated-last", steps.send(START + b"5\r\nhello\r\n0\r\n"), steps.close(), saw=b""),
]  # fmt: skip


# An upstream that ends before an answer byte is where the canary differs: test_fallback.py.
ANYWHERE = BODILESS + FRAMED + OLD_CLIENTS + DISTRUSTED


@pytest.mark.parametrize(("case", "variant"), parameters(ANYWHERE + ENDINGS + on_canary(ANYWHERE)))
def test_answers(case: Case, variant: str, router: Router) -> None:
    run(case, variant, router)

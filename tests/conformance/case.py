"""A wire case: client bytes and an upstream script in, what the upstream and the client saw out; and how it is run.

Each case runs whole, split at every byte, and in one segment with a following request. The expected bytes are
normal forms (reading.py). Nothing about a particular rule belongs here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from tests.conformance.client import Client, split
from tests.conformance.opinions import agreed
from tests.conformance.reading import Message, normal_answer, normal_request
from tests.conformance.router import Router
from tests.conformance.steps import OK, serve
from tests.conformance.upstream import Step, Upstream

NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
NEXT_SAW = b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nnext"
SAW_OK = b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"

WHOLE, BYTES, JOINED = "whole", "bytes", "joined"
SAMPLE = 8


@dataclass(frozen=True)
class Case:
    """`saw` is a normal form, or the status (or allowed statuses) of an error that the router makes itself."""

    id: str
    rfc: str
    send: bytes
    saw: bytes | int | tuple[int, ...] = SAW_OK
    seen: bytes | tuple[bytes, ...] | None = None
    """Normal form(s) of the request at the upstream, any of them is right; None: not one byte reaches an upstream."""
    answer: bytes = OK
    script: Sequence[Step] | None = None
    or_status: tuple[int, ...] = ()
    """Errors that the rule allows as well; then nothing complete may reach the upstream."""
    partial: bool = False
    """The upstream may see the start of the request, but never a whole one."""
    interim: tuple[int, ...] = ()
    closes: bool | None = False
    """Whether the client's connection is closed after the answer; None: either."""
    releases: bool = False
    """The router must close the upstream connection of its own accord."""
    truncated: bool = False
    """The client must be able to tell that the answer isn't whole."""
    variants: tuple[str, ...] = (WHOLE, BYTES, JOINED)

    @property
    def statuses(self) -> tuple[int, ...]:
        if isinstance(self.saw, bytes):
            return ()
        return self.saw if isinstance(self.saw, tuple) else (self.saw,)

    @property
    def next(self) -> bytes:
        """The request that follows in the same segment; it goes to the same arm."""
        return NEXT.replace(b"/next", b"/canary/next") if self.on_canary else NEXT

    @property
    def on_canary(self) -> bool:
        return b" /canary/" in self.send

    @property
    def method(self) -> bytes:
        """Of the request whose answer is read; only HEAD changes how."""
        return b"HEAD" if self.send.lstrip(b"\r\n").startswith(b"HEAD ") else b"GET"


def on_canary(cases: Sequence[Case]) -> list[Case]:
    """The same cases for the canary, whose short answers are held back until they are whole."""
    moved = []
    for case in cases:
        assert isinstance(case.seen, bytes)
        send, seen = (data.replace(b" /p ", b" /canary/p ", 1) for data in (case.send, case.seen))
        moved.append(replace(case, id=f"canary-{case.id}", send=send, seen=seen))
    return moved


def parameters(cases: Sequence[Case]) -> list[object]:
    """Every case in every variant, for `pytest.mark.parametrize(("case", "variant"), ...)`.

    The fast tests run every case whole, and one in `SAMPLE` byte by byte (which takes ten times as long) or joined.
    """
    names = [case.id for case in cases]
    assert len(names) == len(set(names)), "two cases have the same id"
    return [
        pytest.param(case, variant, id=f"{case.id}-{variant}", marks=_marks(number, variant))
        for number, case in enumerate(cases)
        for variant in case.variants
    ]


def _marks(number: int, variant: str) -> tuple[pytest.MarkDecorator, ...]:
    sampled = {WHOLE: True, BYTES: number % SAMPLE == 0, JOINED: number % SAMPLE == SAMPLE // 2}
    return () if sampled[variant] else (pytest.mark.slow,)


def run(case: Case, variant: str, router: Router) -> None:
    for upstream in (router.stable, router.canary):
        upstream.play(case.script or (serve(case.answer),), (serve(),))
    served = router.canary if case.on_canary else router.stable
    with router.connect() as client:
        if variant == BYTES:
            client.send(*split(case.send))
        else:
            client.send(case.send + (case.next if variant == JOINED else b""))
        first = client.answer(case.method)
        refused = _check_answer(case, first, client)
        kept = _check_afterwards(case, variant, first, client)
        if case.releases:
            served.connection(0).wait_ended()
    for upstream in (router.stable, router.canary):
        upstream.finish()
        assert not upstream.problems, upstream.problems
    _check_seen(case, served, kept, refused)


def _check_answer(case: Case, answer: Message, client: Client) -> bool:
    """True when the router refused the request itself, that is, no upstream may have seen it."""
    if case.truncated:
        assert not answer.complete, f"a truncated answer looks whole: {answer.raw!r}"
        return False
    assert answer.complete, f"no whole answer (reset: {client.was_reset}): {answer.raw!r}"
    if isinstance(case.saw, bytes) and answer.status not in case.or_status:
        assert normal_answer(answer) == case.saw, f"saw {answer.raw[:3000]!r}"
        assert tuple(status for status, _ in answer.interim) == case.interim
        return False
    assert answer.status in case.statuses + case.or_status, f"expected {case.saw!r}, saw {answer.raw!r}"
    check_error(answer, head=case.method == b"HEAD")
    return answer.status < 502 or answer.status == 505


def _check_afterwards(case: Case, variant: str, answer: Message, client: Client) -> bool:
    """Whether the connection was kept, and checked: closed without a further byte, or serving a next request."""
    either = case.closes is None or answer.status in case.or_status
    if answer.closes if either else case.closes or case.truncated:
        extra = client.rest()
        assert extra == b"", f"more than one answer: {extra!r}"
        framed = answer.values(b"content-length") + answer.values(b"transfer-encoding")
        silent = case.truncated or not framed or b"HTTP/1.0\r\n" in case.send
        assert silent or answer.closes, f"closed without `Connection: close`: {answer.raw!r}"
        return False
    if variant != JOINED:
        client.send(case.next)
    second = client.answer()
    assert second.complete, f"the connection wasn't kept, after {answer.raw!r}: {second.raw!r}"
    assert normal_answer(second) == NEXT_SAW
    return True


def check_error(answer: Message, head: bool = False) -> None:
    """The shape of every error that the router makes: JSON with a code and a message, no body for HEAD."""
    assert answer.complete, f"a cut error answer: {answer.raw!r}"
    assert (answer.value(b"content-type") or b"").startswith(b"application/json"), answer.raw
    assert answer.value(b"content-length") is not None, answer.raw
    if head:
        assert answer.body == b""
        return
    error = json.loads(answer.body)["error"]
    assert isinstance(error["code"], str)
    assert error["code"]
    assert isinstance(error["message"], str)
    assert error["message"]


def _check_seen(case: Case, upstream: Upstream, kept: bool, refused: bool) -> None:
    requests = upstream.requests()
    whole = [normal_request(request) for request in requests if request.complete]
    assert sum(len(agreed(bytes(connection.data))) for connection in upstream.connections) == len(whole)
    if kept:
        assert whole, "the upstream saw nothing"
        assert whole.pop() == case.next
    if refused:
        assert not whole, f"a refused request went upstream: {whole!r}"
        assert case.partial or not requests, f"bytes of a refused request went upstream: {requests!r}"
        return
    expected = (case.seen,) if isinstance(case.seen, bytes) else case.seen or ()
    assert len(whole) == 1, f"the upstream saw {len(whole)} requests: {whole!r}"
    assert whole[0] in expected, f"the upstream saw {whole[0]!r}, expected {case.seen!r}"
    assert all(request.complete for request in requests), f"bytes after the request: {requests[-1].raw!r}"

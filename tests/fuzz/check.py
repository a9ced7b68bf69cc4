"""What must hold of every case, decided from what came out of it; pure. Each breach is a `Failure` (or `Malformed`)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple

import h11

from tests.conformance.opinions import Seen, agreed
from tests.conformance.reading import FRAMING, Message, Reader
from tests.fuzz.link import Failure, Result, Served
from tests.fuzz.mutate import BOTH, REQUEST, Case

#: What the router refuses a request with. Of several things wrong with it, the first one that was seen is named.
REFUSED = frozenset((400, 405, 414, 417, 431, 501, 505))


class Outcome(NamedTuple):
    """What may not depend on how the client's bytes were cut into segments."""

    statuses: tuple[int, ...]
    """Of the answers; any refusal is 400."""
    requests: tuple[Seen, ...]


def check(case: Case, result: Result) -> Outcome:
    requests = _check_received(result)
    _check_used_again(result)
    if case.kind == BOTH:
        return Outcome((), requests)
    if case.kind == REQUEST:
        answers = _read_answers(result, [served.method for served in result.served])
        _check_one_answer_each(result, answers)
    else:
        answers = _read_answers(result, _methods(case.bytes))
        _check_no_answer_made_up(case, result, answers)
    return Outcome(tuple(400 if answer.status in REFUSED else answer.status for answer in answers), requests)


def _check_received(result: Result) -> tuple[Seen, ...]:
    """Every reader finds the same requests as the upstream, connection by connection; in the order of their arrival."""
    found: dict[int, list[Seen]] = {}
    for number, data in enumerate(result.received):
        if b" 101 " in result.answered[number]:
            continue  # perhaps a tunnel, whose bytes aren't HTTP
        found[number] = whole = agreed(data)
        served = sum(each.connection == number for each in result.served)
        if len(whole) != served:
            raise Failure(f"the upstream served {served} requests, readers find {whole!r}")
    arrived = (each.connection for each in result.served)
    return tuple(found[number].pop(0) for number in arrived if number in found)


def _read_answers(result: Result, methods: list[bytes]) -> list[Message]:
    """All final answers that a client saw; the last one may be incomplete, nothing may follow the last one."""
    answers: list[Message] = []
    data = result.saw
    while data:
        known = methods[len(answers) : len(answers) + 1]
        answer = _read_answer(data, known or [b"GET", b"HEAD"])
        answers.append(answer)
        if not answer.complete or answer.status == 101:
            break
        data = data[len(answer.raw) :]
    if answers and result.was_reset and not any(map(answers[-1].values, FRAMING)):
        answers[-1] = replace(answers[-1], complete=False)  # its end would be an orderly one
    return answers


def _read_answer(data: bytes, methods: list[bytes]) -> Message:
    """An error for a request that was refused may be for HEAD, which only the router knows."""
    for method in methods:
        reader = Reader(method)
        answer = reader.feed(data) or reader.feed(b"") or reader.partial()
        if answer.complete:
            break
    return answer


def _check_one_answer_each(result: Result, answers: list[Message]) -> None:
    """Each request that the upstream counted was answered, in order, with what it said; then one error at most."""
    for served, answer in zip(result.served, answers, strict=False):
        expected = _expected(result, served)
        if not answer.complete or (answer.status, answer.body) != expected:
            raise Failure(f"the upstream said {expected!r}, the client saw {answer.raw!r}")
    own = answers[len(result.served) :]
    if len(answers) < len(result.served):
        raise Failure(f"{len(result.served)} requests upstream, but {len(answers)} answers: {result.saw!r}")
    if len(own) > 1 or not all(map(_is_own, own)):
        raise Failure(f"{len(result.served)} requests upstream, then the client saw {[each.raw for each in own]!r}")


def _check_no_answer_made_up(case: Case, result: Result, answers: list[Message]) -> None:
    """A whole answer is one that the upstream gave, by h11's reading, or the router's own error."""
    asked = len(_methods(case.bytes))
    if len(answers) > asked:
        raise Failure(f"{len(answers)} answers to {asked} requests: {result.saw!r}")
    said = [_expected(result, served) for served in result.served]
    for answer in answers:
        if answer.complete and not _is_own(answer) and (answer.status, answer.body) not in said:
            raise Failure(f"the upstream said {said!r}, the client saw {answer.raw!r}")


def _check_used_again(result: Result) -> None:
    """A connection takes the next request only when its last answer was whole and nothing came behind it."""
    for served in result.served:
        if served.end is not None:
            sent = result.answered[served.connection][served.start : served.end]
            answer = _read_sent(served.method, sent, ended=False)
            if answer is None or answer.rest:
                raise Failure(f"a connection was used again after {sent!r}")


def _expected(result: Result, served: Served) -> tuple[int, bytes] | None:
    """Status and body of the answer to a request, None where h11 can't read it."""
    answer = _read_sent(served.method, result.answered[served.connection][served.start :], ended=True)
    return None if answer is None else (answer.status, answer.body)


class _Sent(NamedTuple):
    status: int
    body: bytes
    rest: bytes


def _read_sent(method: bytes, data: bytes, ended: bool) -> _Sent | None:
    """The first final answer in what the upstream sent, as h11 reads it; None where it can't, or it isn't whole."""
    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=1024 * 1024)
    fields = [(b"host", b"h"), (b"upgrade", b"websocket"), (b"connection", b"upgrade")]
    reader.send(h11.Request(method=method, target=b"/", headers=fields))
    reader.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        reader.receive_data(data)
        if ended:
            reader.receive_data(b"")
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
                if status == 205 and ended:
                    return _Sent(205, b"", b"")  # a body that comes is dropped, and needn't be whole (rule F7)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return _Sent(101, b"", b"")
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError:
        return None
    return _Sent(status, b"" if status == 205 else body, reader.trailing_data[0])


def _methods(data: bytes) -> list[bytes]:
    """Of good requests, as they are before the router has read them."""
    methods: list[bytes] = []
    while data:
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
        reader.receive_data(data)
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                methods.append(bytes(event.method))
            elif not isinstance(event, h11.Data):
                return methods
        data = reader.trailing_data[0]
    return methods


def _is_own(answer: Message) -> bool:
    """Whether the router made it."""
    if not answer.complete or answer.value(b"content-type") != b"application/json":
        return False
    return answer.status >= 400 and (not answer.body or "error" in json.loads(answer.body))

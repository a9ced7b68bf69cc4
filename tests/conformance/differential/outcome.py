"""What one proxy made of one case: its answers, what the upstream saw, and whether the connection was kept; as text.

``200 keeps · POST /p x-a=1 [hello]`` is one answer, a connection that takes the next request, and what the upstream
received: method, target, the fields that tell something and, in brackets, the body without its framing. ``closed``
stands for an end without an answer, ``cut`` for a message that never became whole, and ``400 by the upstream`` for one
that the proxy forwarded but h11, which reads for the upstream, refuses.

Every case is followed by a probe in the same segment. It is answered only where the proxy reads on after the case,
at the place where the case ends: a proxy that has the end elsewhere shows.
"""

from __future__ import annotations

from typing import NamedTuple

import h11

from tests.conformance.client import Client
from tests.conformance.differential.peers import Peer
from tests.conformance.opinions import agreed
from tests.conformance.reading import Malformed, Message
from tests.conformance.upstream import Connection, ScriptOver

PROBE = b"GET /probe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

#: Framing is shown as the body, the others each proxy adds in its own way or nobody changes.
UNTOLD = frozenset(
    b"content-length transfer-encoding connection x-forwarded-for x-forwarded-proto x-forwarded-host forwarded "
    b"x-request-id x-cutover-arm sec-websocket-key sec-websocket-version".split()
)


#: So many fields are counted, not listed.
MOST_FIELDS = 6


class Outcome(NamedTuple):
    """`text` as above; `answered` and `received` are whole 200s at the client, and requests at the upstream."""

    text: str
    answered: int
    received: list[bytes]
    """All bytes of each upstream connection."""


class Recorded(NamedTuple):
    request: h11.Request
    body: bytes
    whole: bool


def read(connection: Connection, seen: list[Recorded], rest: bytes) -> tuple[h11.Request, bytes]:
    """Receive one request as h11 reads it, however odd, and note it; returns it and what came behind it."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
    body = b""
    request: h11.Request | None = None
    if rest:
        reader.receive_data(rest)
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif event is h11.NEED_DATA:
            if reader.they_are_waiting_for_100_continue:
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                reader.send(h11.InformationalResponse(status_code=100, headers=[]))
            start = len(connection.data)
            if not connection.read():
                if request is not None:
                    seen.append(Recorded(request, body, False))
                raise ScriptOver
            reader.receive_data(bytes(connection.data[start:]))
    assert request is not None
    seen.append(Recorded(request, body, True))
    return request, reader.trailing_data[0]


def observe(peer: Peer, send: bytes) -> Outcome:
    """Run one case and its probe through a proxy."""
    seen: list[Recorded] = []

    def answer(connection: Connection) -> None:
        rest = b""
        while True:
            try:
                request, rest = read(connection, seen, rest)
            except h11.RemoteProtocolError:
                connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\nConnection: close\r\n\r\nUPSTREAM")
                connection.close()
            # No body for a HEAD by its length too, so that a client needn't know what an answer is for.
            body = b"" if request.method == b"HEAD" else bytes(request.target)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    peer.upstream.play([answer])
    answers, kept, answered = _converse(peer, send)
    received = [bytes(connection.data) for connection in peer.upstream.connections]
    peer.upstream.finish()
    told = [_told(request, peer.upstream.port) for request in seen if request.request.target != b"/probe"]
    parts = [" ".join(answers) + (" keeps" if kept else "")]
    return Outcome(" · ".join(parts + told), answered, received)


def _converse(peer: Peer, send: bytes) -> tuple[list[str], bool, int]:
    answers: list[str] = []
    answered = 0
    with Client(peer.port) as client:
        client.send(send + PROBE)
        while True:
            try:
                answer = client.answer(b"HEAD" if send.startswith(b"HEAD ") and not answers else b"GET")
            except TimeoutError:
                return [*answers, "hangs"], False, answered
            except Malformed:
                return [*answers, "no HTTP/1"], False, answered
            if not answer.line:
                return answers or ["no HTTP/1" if answer.raw else "closed"], False, answered
            answered += answer.status == 200
            if answer.body == b"/probe":
                return answers, True, answered
            answers += [str(status) for status, _ in answer.interim]
            answers.append(_status(answer))


def _status(answer: Message) -> str:
    if answer.body == b"UPSTREAM":
        return "400 by the upstream"
    return str(answer.status) if answer.complete else f"{answer.status} cut"


def _told(seen: Recorded, upstream: int) -> str:
    request = seen.request
    parts = [_short(request.method), _short(request.target)]
    own = b"127.0.0.1:%d" % upstream
    fields = [
        f"{_short(name)}={_short(value.replace(own, b'UPSTREAM'))}"
        for name, value in request.headers
        if name not in UNTOLD and (name, value) != (b"host", b"h")
    ]
    parts += fields if len(fields) < MOST_FIELDS else [f"({len(fields)} fields)"]
    if seen.body:
        parts.append(f"[{_short(seen.body)}]")
    return " ".join(parts if seen.whole else [*parts, "cut"])


def _short(data: bytes, most: int = 60) -> str:
    text = data.decode("latin-1").encode("unicode_escape").decode()
    return text if len(text) <= most else f"{text[: most // 2]}… {len(data)} bytes"


def check_counts(outcome: Outcome) -> None:
    """What no proxy of ours may get wrong: all readers find the same requests, each was answered, and no other."""
    whole = sum(len(agreed(data)) for data in outcome.received)
    assert whole == outcome.answered, f"upstreams count {whole} requests, the client got {outcome.answered} answers"

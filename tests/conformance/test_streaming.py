"""Event streams and other answers in pieces: each piece is at the client before the upstream sends the next."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.router import Router
from tests.conformance.upstream import Connection, Step

TYPES = {
    "sse": b"Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n",
    "ndjson": b"Content-Type: application/x-ndjson\r\n",
    "plain": b"Content-Type: text/plain\r\n",
}
FRAMINGS = {
    "chunked": b"Transfer-Encoding: chunked\r\n",
    "close": b"Connection: close\r\n",
    "cl": b"Content-Length: 55\r\n",
}


# Short answers of the canary with a Content-Length are held back until they are whole, by design.
PLACES = [(arm, framing) for arm in ("stable", "canary") for framing in FRAMINGS if (arm, framing) != ("canary", "cl")]


@pytest.mark.parametrize("fields", list(TYPES.values()), ids=list(TYPES))
@pytest.mark.parametrize(("arm", "framed"), PLACES)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_each_piece_is_flushed(router: Router, arm: str, version: bytes, framed: str, fields: bytes) -> None:
    framing = FRAMINGS[framed]
    upstream = router.canary if arm == "canary" else router.stable
    gates = [upstream.gate() for _ in range(5)]
    script: list[Step] = [steps.message(), steps.send(b"HTTP/1.1 200 OK\r\n" + fields + framing + b"\r\n")]
    for number, gate in enumerate(gates):
        piece = b"data: %d ....\n" % number
        if framing.startswith(b"Content-Length"):
            piece = piece[:11]
        if framing.startswith(b"Transfer-Encoding"):
            piece = b"%x\r\n" % len(piece) + piece + b"\r\n"
        script += [steps.wait(gate), steps.send(piece)]
    script += [steps.send(b"0\r\n\r\n")] if b"chunked" in framing else [steps.close()]
    upstream.play(script)
    with router.connect() as client:
        path = b"/canary/p" if arm == "canary" else b"/p"
        client.send(b"GET " + path + b" HTTP/" + version + b"\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n")
        assert b" 200" in client.until(b"\r\n\r\n").split(b"\r\n")[0], "the head waits for a body"
        for number, gate in enumerate(gates):
            gate.set()
            client.until(b"data: %d" % number)


def test_head_alone_is_flushed(router: Router) -> None:
    """An event stream without an event yet: the client has to know that it is open."""
    go = router.stable.gate()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    router.stable.play([steps.message(), steps.send(head), steps.wait(go), steps.close()])
    with router.connect() as client:
        client.send(b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n")
        client.until(b"\r\n\r\n")
        go.set()
        assert client.exactly(5) == b"0\r\n\r\n"


def test_both_directions_at_once(router: Router) -> None:
    """An upstream that answers each chunk as it comes (long-lived POST): neither side waits for the other's end."""

    def echo(number: int) -> list[Step]:
        return [
            steps.until(lambda connection: b"ping%d" % number in connection.data),
            steps.send(b"5\r\npong%d\r\n" % number),
        ]

    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pings = [step for number in range(3) for step in echo(number)]
    router.stable.play([steps.head(), steps.send(head), *pings, steps.until(done), steps.send(b"0\r\n\r\n")])
    with router.connect() as client:
        client.send(b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            client.send(b"5\r\nping%d\r\n" % number)
            client.until(b"pong%d" % number)
        client.send(b"0\r\n\r\n")
        assert client.exactly(7) == b"\r\n0\r\n\r\n"


def done(connection: Connection) -> bool:
    return connection.data.endswith(b"\r\n0\r\n\r\n")

"""E3: WebSocket is tunnelled after the upstream's 101 only; other upgrades are stripped (RFC 6455, 9110 7.8)."""

from __future__ import annotations

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.reading import normal_request
from tests.conformance.router import Router

BASE = b"GET /ws HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"
KEYS = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
OPEN = BASE + b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + KEYS + b"\r\n"
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + ACCEPT + b"\r\n"
GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"


@pytest.mark.parametrize("split", [False, True], ids=["whole", "bytes"])
@pytest.mark.parametrize("prefix", [b"/ws", b"/canary/ws"])
def test_E3_tunnel_carries_both_ways(router: Router, split: bool, prefix: bytes) -> None:
    upstream = router.canary if b"canary" in prefix else router.stable
    upstream.play(
        [steps.head(), steps.send(SWITCH), steps.body(4), steps.send(b"\x81\x02hi"), steps.body(2), steps.close()]
    )
    request = OPEN.replace(b"/ws", prefix)
    with router.connect() as client:
        client.send(*([request[at : at + 1] for at in range(len(request))] if split else [request]))
        head = client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        assert ACCEPT in head
        assert b"\r\nupgrade: websocket\r\n" in head.lower()
        assert b"upgrade" in head.lower().split(b"\r\nconnection:")[1].split(b"\r\n")[0]
        client.send(b"\x81\x82\x00\x00")
        assert client.exactly(4) == b"\x81\x02hi"
        client.send(b"\x00\xff")
        assert client.rest() == b""
    (request_seen,) = upstream.requests()
    names = [name.lower() for name, _ in request_seen.fields]
    assert names.count(b"upgrade") == names.count(b"connection") == 1
    assert (request_seen.value(b"upgrade") or b"").lower() == b"websocket"
    assert (request_seen.value(b"connection") or b"").lower() == b"upgrade"
    assert request_seen.value(b"sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="
    assert bytes(upstream.connection(0).data).endswith(b"\r\n\r\n\x81\x82\x00\x00\x00\xff")


@pytest.mark.parametrize("connection", [b"upgrade", b"keep-alive, Upgrade", b"UPGRADE,X-Hop"])
def test_E3_connection_may_say_more(router: Router, connection: bytes) -> None:
    router.stable.play([steps.head(), steps.send(SWITCH), steps.hang()])
    with router.connect() as client:
        client.send(OPEN.replace(b"Connection: Upgrade", b"X-Hop: 1\r\nConnection: " + connection))
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")


def test_E3_early_bytes_of_the_client_wait_for_101(router: Router) -> None:
    """Bytes behind the request go upstream only once it agreed; before, they could be a second request to it."""
    seen, go = router.stable.gate(), router.stable.gate()
    script = [steps.head(), steps.signal(seen), steps.wait(go), steps.send(SWITCH), steps.body(5), steps.send(b"done")]
    router.stable.play([*script, steps.close()])
    with router.connect() as client:
        client.send(OPEN + b"ear")
        assert seen.wait(5)
        client.send(b"ly")
        upstream = router.stable.connection(0)
        assert upstream.data.endswith(b"\r\n\r\n"), "early bytes went on before the upstream agreed"
        go.set()
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        assert client.rest() == b"done"
    assert upstream.data.endswith(b"\r\n\r\nearly")


def test_E3_early_bytes_of_the_upstream_follow_the_head(router: Router) -> None:
    router.stable.play([steps.head(), steps.send(SWITCH + b"hello"), steps.close()])
    with router.connect() as client:
        client.send(OPEN)
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        assert client.rest() == b"hello"


def test_E3_refused_handshake_is_an_ordinary_answer(router: Router) -> None:
    router.stable.play(
        [steps.message(), steps.send(steps.OK.replace(b"200 OK", b"403 No")), steps.serve()], [steps.serve()]
    )
    with router.connect() as client:
        client.send(OPEN)
        answer = client.answer()
        assert (answer.status, answer.body) == (403, b"ok")
        if not answer.closes:
            client.send(GET)
            assert client.answer().status == 200


def test_E3_early_bytes_after_a_refusal_are_not_tunnelled(router: Router) -> None:
    """They may be dropped with the connection or read as a request of their own, but go nowhere unread."""
    router.stable.play(
        [steps.head(), steps.send(steps.OK.replace(b"200 OK", b"403 No")), steps.hang()], [steps.serve()]
    )
    with router.connect() as client:
        client.send(OPEN + b"\x81\x82\x00\x00")
        assert client.answer().status == 403
        after = client.rest()
        assert after == b"" or after.startswith(b"HTTP/1.1 400")
    router.stable.finish()
    assert b"\x81" not in b"".join(bytes(connection.data) for connection in router.stable.connections)


STRIPPED = {
    "h2c": OPEN.replace(b"websocket", b"h2c"),
    "h2c-and-tls": OPEN.replace(b"Upgrade: websocket", b"Upgrade: h2c, tls"),
    "not-named": OPEN.replace(b"Connection: Upgrade\r\n", b""),
    "1.0": OPEN.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Connection: Upgrade", b"Connection: Upgrade, keep-alive"),
    "post": OPEN.replace(b"GET", b"POST"),
    "delete": OPEN.replace(b"GET", b"DELETE"),
    "options": OPEN.replace(b"GET", b"OPTIONS"),
}


@pytest.mark.parametrize("send", list(STRIPPED.values()), ids=list(STRIPPED))
def test_E3_other_upgrades_are_stripped(router: Router, send: bytes) -> None:
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(send + GET)
        assert [client.answer().body, client.answer().body] == [b"ok", b"ok"]
    router.stable.finish()
    first, second = router.stable.requests()
    assert first.value(b"upgrade") is None
    assert b"upgrade" not in (first.value(b"connection") or b"").lower()
    assert normal_request(second) == GET


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["cl", "chunked"]
)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "bytes"])
def test_E3_h2c_post_keeps_its_body(router: Router, framing: bytes, split: bool) -> None:
    """Java's client offers h2c on POSTs with a body; parsers that stop at Upgrade lose it."""
    head = b"POST /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    body = b"hello" if b"Length" in framing else b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    data = head + offer + framing + b"\r\n" + body + GET
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(*([data[at : at + 1] for at in range(len(data))] if split else [data]))
        assert [client.answer().body, client.answer().body] == [b"ok", b"ok"]
    router.stable.finish()
    assert [normal_request(request) for request in router.stable.requests()] == [head + framing + b"\r\nhello", GET]


UNASKED = {
    "get": GET,
    "h2c": STRIPPED["h2c"],
    "post": b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
}


@pytest.mark.parametrize("answer", [SWITCH, b"HTTP/1.1 101 Switching\r\n\r\n"], ids=["websocket", "no-upgrade"])
@pytest.mark.parametrize("send", list(UNASKED.values()), ids=list(UNASKED))
def test_E3_unasked_101_is_refused(router: Router, send: bytes, answer: bytes) -> None:
    router.stable.play([steps.message(), steps.send(answer + b"tunnelled"), steps.hang()])
    with router.connect() as client:
        client.send(send)
        saw = client.answer()
        assert saw.status == 502
        check_error(saw)
    router.stable.connection(0).wait_ended()


def test_E3_101_to_another_protocol_than_asked_is_refused(router: Router) -> None:
    """9110 15.2.2: 101 names the protocol that was asked for; anything else isn't a tunnel we know."""
    router.stable.play([steps.head(), steps.send(SWITCH.replace(b"websocket", b"h2c")), steps.hang()])
    with router.connect() as client:
        client.send(OPEN)
        assert client.answer().status == 502
    router.stable.connection(0).wait_ended()


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_E3_end_of_either_side_ends_the_tunnel(router: Router, who: str) -> None:
    router.stable.play(
        [steps.head(), steps.send(SWITCH), steps.body(1), steps.close() if who == "upstream" else steps.hang()]
    )
    with router.connect() as client:
        client.send(OPEN)
        client.until(b"\r\n\r\n")
        client.send(b"x")
        router.stable.connection(0).wait(lambda: router.stable.connection(0).data.endswith(b"\r\n\r\nx"), "the byte")
        if who == "client":
            client.sock.close()
        else:
            assert client.rest() == b""
    router.stable.connection(0).wait_ended()


@pytest.mark.slow
def test_B1_slow_reader_of_a_tunnel_pauses_the_upstream(router: Router) -> None:
    """The bound is that of test_backpressure.py; a second without reading is ample for any byte that can move."""
    size = 64 * 1024 * 1024
    done = router.stable.gate()
    sending = [steps.send(b"x" * 65536)] * (size // 65536)
    router.stable.play([steps.head(), steps.send(SWITCH), *sending, steps.signal(done), steps.close()])
    with router.connect(receive_buffer=65536) as client:
        client.send(OPEN)
        client.until(b"\r\n\r\n")
        assert not done.wait(1)
        assert router.stable.connection(0).sent < size // 2
        assert len(client.rest()) == size


def test_E3_tunnel_passes_large_messages(router: Router) -> None:
    data = bytes(range(256)) * 8192
    router.stable.play([steps.head(), steps.send(SWITCH), steps.body(len(data)), steps.send(data), steps.close()])
    with router.connect() as client:
        client.send(OPEN)
        client.until(b"\r\n\r\n")
        client.send(data)
        assert client.rest() == data
    assert bytes(router.stable.connection(0).data).endswith(data)

"""Heads on their way: the very bytes the upstream gets for a client's, what is refused at once, and h11's reading."""

from __future__ import annotations

import re

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.router.proxy.fakes import MakeWire, Peer, Wire, get, ok

HOPS = (
    b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
    b"Forwarded: for=192.0.2.7;proto=http;host=h\r\n"
)
END = HOPS + b"X-Request-Id: r\r\nX-Cutover-Arm: stable\r\n\r\n"
COOKIE = b"Cookie: cutover_id=u\r\n"
START = b"Host: h\r\n" + COOKIE
SENT = START + b"X-Request-Id: r\r\n"

FORWARDED = [
    # rule, request line and fields besides those of every request, line and fields upstream, body
    ("H5", b"GET /a?b=%2f", b"", b"GET /a?b=%2f", b"", b""),
    ("H2", b"GET /", b"Connection: x-a\r\nX-A: 1\r\nTE: trailers\r\nB: 2\r\n", b"GET /", b"B: 2\r\n", b""),
    ("H2", b"GET /", b"Connection: x-request-id, x-cutover-arm, forwarded\r\n", b"GET /", b"", b""),
    ("H3", b"GET /", b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n", b"GET /", b"", b""),
    ("H3", b"GET /", b"X_Forwarded_For: 6.6.6.6\r\nX-Cutover-Arm: canary\r\n", b"GET /", b"", b""),
    ("E3", b"GET /", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"GET /", b"", b""),
    ("H1", b"OPTIONS *", b"", b"OPTIONS *", b"", b""),
    ("F4", b"POST /", b"Content-Length: 2\r\n", b"POST /", b"Content-Length: 2\r\n", b"ab"),
    ("F4", b"POST /", b"Content-Length: 0\r\n", b"POST /", b"Content-Length: 0\r\n", b""),
    ("F10", b"DELETE /", b"content-length:2\r\n", b"DELETE /", b"Content-Length: 2\r\n", b"ab"),
    ("F5", b"POST /", b"transfer-encoding:Chunked\r\n", b"POST /", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
]


@pytest.mark.parametrize(("rule", "line", "fields", "line_up", "fields_up", "body"), FORWARDED)
async def test_what_the_upstream_gets(
    wire: Wire, rule: str, line: bytes, fields: bytes, line_up: bytes, fields_up: bytes, body: bytes
) -> None:
    request = line + b" HTTP/1.1\r\n" + SENT + fields + b"\r\n" + body
    expected = line_up + b" HTTP/1.1\r\n" + START + fields_up + END + body
    assert (await wire.serve(wire.client(), request, ok()))[0] == expected
    pieces = wire.client()
    pieces.send(*(request[at : at + 1] for at in range(len(request) - 1)))
    assert (await wire.serve(pieces, request[-1:], ok()))[1].endswith(b"\r\n\r\nok")


async def test_expect_and_websocket_are_sent_anew(wire: Wire) -> None:
    upstream = await wire.ask(
        wire.client(), b"POST / HTTP/1.1\r\n" + SENT + b"expect:100-Continue\r\nContent-Length: 2\r\n\r\n"
    )
    assert upstream.read() == b"POST / HTTP/1.1\r\n" + START + b"Content-Length: 2\r\nExpect: 100-continue\r\n" + END
    upstream = await wire.ask(
        wire.client(), b"GET / HTTP/1.1\r\n" + SENT + b"connection:upgrade\r\nupgrade:WebSocket\r\n\r\n"
    )
    assert upstream.read() == b"GET / HTTP/1.1\r\n" + START + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + END


async def test_absolute_form_becomes_origin_form(wire: Wire) -> None:
    """RFC 9112 3.2.2: the target's authority is the Host."""
    seen, _ = await wire.serve(wire.client(), b"GET http://h/a HTTP/1.1\r\nHost: other\r\n" + COOKIE + b"\r\n", ok())
    assert seen.startswith(b"GET /a HTTP/1.1\r\nHost: h\r\n" + COOKIE + HOPS)
    assert b"other" not in seen


async def test_an_old_client_without_host_gets_one_upstream(wire: Wire) -> None:
    seen, _ = await wire.serve(wire.client(), b"GET / HTTP/1.0\r\n\r\n", ok())
    assert seen.startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1001\r\n")
    assert b"X-Forwarded-Host" not in seen


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3"])
async def test_a_trusted_proxy_is_believed_each_time(make_wire: MakeWire, address: str) -> None:
    """Also when only its word changes and everything else is as it was."""
    wire = make_wire(trusted_proxies=["10.0.0.0/8"])
    client = wire.client(address=(address, 1))
    for told in (b"203.0.113.1", b"203.0.113.2"):
        seen, _ = await wire.serve(client, get(b"/", b"X-Forwarded-For: " + told), ok())
        assert b"\r\nX-Forwarded-For: %b, %b\r\n" % (told, address.encode()) in seen


async def test_a_new_host_is_told_on_the_same_connection(wire: Wire) -> None:
    client = wire.client()
    for host in (b"one", b"two", b"one"):
        seen, _ = await wire.serve(client, b"GET / HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (host, COOKIE), ok())
        assert b"\r\nX-Forwarded-Host: %b\r\nForwarded: for=192.0.2.7;proto=http;host=%b\r\n" % (host, host) in seen


@pytest.mark.parametrize(("scheme", "secure"), [(b"http", False), (b"https", True)])
async def test_a_new_user_gets_a_cookie(wire: Wire, scheme: bytes, secure: bool) -> None:
    """Another one each time: two answers never make two people one user, even for the same head."""
    client = wire.client(scheme)
    issued = []
    for _ in range(2):
        _, saw = await wire.serve(client, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", ok())
        found = re.search(rb"\r\nSet-Cookie: cutover_id=([0-9a-f]{32}); ([^\r]+)\r\n", saw)
        assert found is not None
        attributes = set(found[2].split(b"; "))
        assert {b"HttpOnly", b"SameSite=Lax", b"Path=/", b"Max-Age=2592000"} <= attributes
        assert (b"Secure" in attributes) is secure
        issued.append(found[1])
    assert issued[0] != issued[1]
    assert wire.counted() == [("stable", "new", "200")]


async def test_an_issued_cookie_is_the_users_arm(make_wire: MakeWire) -> None:
    wire = make_wire(weight=5_000)
    for _ in range(20):
        client = wire.client()
        upstream, saw = await wire.serve(client, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", ok())
        found = re.search(rb"cutover_id=([0-9a-f]{32})", saw)
        assert found is not None
        again, _ = await wire.serve(wire.client(), get(user=found[1]), ok())
        arm = re.compile(rb"X-Cutover-Arm: (stable|canary)\r\n")
        assert arm.findall(upstream) == arm.findall(saw) == arm.findall(again)
    assert {arm for arm, _, _ in wire.counted()} == {"stable", "canary"}


REFUSED_EARLY = [
    # rule, bytes with which nothing can become a request any more, status
    ("RFC 9112 3", b"\x16\x03\x01\x02\x00", 400),
    ("RFC 9112 2.2", b"GET / HTTP/1.1\n", 400),
    ("RFC 9112 2.2", b"GET / HTTP/1.1\r\nHost: h\n", 400),
    ("RFC 9112 2.2", b"\r\n\r\n\r\n", 400),
    ("RFC 9112 2.3", b"GET / HTTP/2.0\r\n", 505),
    ("RFC 9110 9.1", b"BREW / HTTP/1.1\r\n", 501),
    ("H5", b"GET /" + b"a" * 8300, 414),
    ("H5", b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\n", 414),
    ("H5", b"GET / HTTP/1.1\r\nA: " + b"b" * 8300, 431),
    ("H5", b"GET / HTTP/1.1\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 5, 431),
]


@pytest.mark.parametrize(
    ("rule", "data", "status"), [pytest.param(*case, id=f"{case[1][:24]!r}") for case in REFUSED_EARLY]
)
async def test_refused_before_its_end(wire: Wire, rule: str, data: bytes, status: int) -> None:
    client = wire.client()
    client.send(data)
    assert client.got.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in client.got
    await wire.settle()
    assert not wire.attempts


async def test_empty_lines_before_a_request_are_skipped(wire: Wire) -> None:
    """RFC 9112 2.2, split anywhere."""
    for data in (b"\r\n" + get(), b"\r\n\r\n" + get()):
        seen, _ = await wire.serve(wire.client(), data, ok())
        assert seen.startswith(b"GET / HTTP/1.1\r\n")
    client = wire.client()
    client.send(b"\r", b"\n", b"\r")
    seen, _ = await wire.serve(client, b"\n" + get(), ok())
    assert seen.startswith(b"GET / HTTP/1.1\r\n")


LINES = b"GET / HTTP/1.1;HEAD /a?b HTTP/1.1;POST /x HTTP/1.1;PUT http://o/a HTTP/1.1;OPTIONS * HTTP/1.1;GET /b HTTP/1.0"
FIELDS = (
    b"Host: h;Host: o:80;Content-Length: 0;Content-Length: 3;Transfer-Encoding: chunked;Connection: close, a;A: 1;"
    b"Connection: host;Connection: transfer-encoding;Expect: 100-continue;TE: x;content_length: 9;X-Request-Id: r;"
    b"X-Forwarded-For: a;Cookie: cutover_id=u;B:\xe9;X-Cutover-Arm: canary;Upgrade: h2c;Keep-Alive: 1"
)
HEADS = st.builds(
    lambda line, fields: b"\r\n".join((line, *fields, b"", b"")),
    st.sampled_from(LINES.split(b";")),
    st.lists(st.sampled_from(FIELDS.split(b";")), max_size=6).map(lambda fields: [b"Host: h", *fields]),
)


async def send_to_upstream(wire: Wire, head: bytes) -> tuple[Peer, bytes]:
    client = wire.client()
    client.send(head)
    await wire.settle()
    sent = b"".join(peer.read() for peer in wire.upstreams)
    return client, sent


@given(HEADS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_h11_reads_what_we_emit(wire: Wire, head: bytes) -> None:
    client, sent = await send_to_upstream(wire, head)
    if not sent:
        assert re.match(rb"HTTP/1\.1 (?:4\d\d|50[15]) ", client.got)
    else:
        request = wire.core.requests.parse(head)
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(sent)
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        assert (event.method, event.target, event.http_version) == (request.method, request.target, b"1.1")
        names = [name for name, _ in event.headers]
        for once in (b"host", b"x-request-id", b"x-cutover-arm", b"forwarded", b"x-forwarded-for"):
            assert names.count(once) == 1
        assert names.count(b"transfer-encoding") == (request.body < 0)
        assert names.count(b"content-length") == (request.body > 0 or b"content-length" in request.fields)
        assert not {b"te", b"keep-alive", b"upgrade", b"connection"} & set(names)
    client.abort()
    await wire.settle()

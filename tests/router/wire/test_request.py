"""Request heads: what goes on and what it means; what is refused, and as what. h11 reads all that we let through."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RequestError
from router.wire.fields import HeadLimits
from router.wire.request import METHODS, Request, RequestParser, parse_line, valid_host

PARSER = RequestParser(HeadLimits(), (b"x-user",))
HOST = b"\r\nHost: h"


def parse(head: bytes) -> Request:
    return PARSER.parse(head + b"\r\n\r\n")


def fails(head: bytes) -> int:
    with pytest.raises(RequestError) as caught:
        parse(head)
    return caught.value.status


TARGETS = [
    # rule, method and target, target upstream, path, host
    ("RFC 9112 3.2.1", b"GET /", b"/", b"/", b"h"),
    ("RFC 9112 3.2.1", b"GET /a/b?c=d&e", b"/a/b?c=d&e", b"/a/b", b"h"),
    ("RFC 3986 3.4", b"GET /a?b?c", b"/a?b?c", b"/a", b"h"),
    ("byte for byte", b"GET //a/../%2e%2E/;x='\"<>[]{}|\\^`~", b"//a/../%2e%2E/;x='\"<>[]{}|\\^`~", None, b"h"),
    ("RFC 9112 3.2.2", b"GET http://o", b"/", b"/", b"o"),
    ("RFC 9112 3.2.2", b"GET http://o/", b"/", b"/", b"o"),
    ("RFC 9112 3.2.2", b"GET HTTPS://o:8080/a?b", b"/a?b", b"/a", b"o:8080"),
    ("RFC 9112 3.2.2", b"GET http://o?a/b", b"/?a/b", b"/", b"o"),
    ("RFC 9112 3.2.2", b"GET http://[::1]:80/a", b"/a", b"/a", b"[::1]:80"),
    ("RFC 9112 3.2.4", b"OPTIONS *", b"*", b"*", b"h"),
    ("RFC 9112 3.2.4", b"OPTIONS http://o", b"*", b"*", b"o"),
    ("RFC 9112 3.2.4", b"OPTIONS http://o/", b"/", b"/", b"o"),
]


@pytest.mark.parametrize(("rule", "line", "target", "path", "host"), TARGETS)
def test_targets(rule: str, line: bytes, target: bytes, path: bytes | None, host: bytes) -> None:
    request = parse(line + b" HTTP/1.1" + HOST)
    assert (request.target, request.path, request.host) == (target, path or target, host)
    assert request.block == b"\r\nHost: " + host


REFUSED = [
    # rule, head, status
    ("RFC 9112 3", b"", 400),
    ("RFC 9112 3", b"GET", 400),
    ("RFC 9112 3", b"GET /", 400),  # HTTP/0.9
    ("RFC 9112 3", b"GET  / HTTP/1.1" + HOST, 400),
    ("RFC 9112 3", b"GET /  HTTP/1.1" + HOST, 400),
    ("RFC 9112 3", b"GET\t/ HTTP/1.1" + HOST, 400),
    ("RFC 9112 3", b"GET /a b HTTP/1.1" + HOST, 400),
    ("RFC 9112 3", b" GET / HTTP/1.1" + HOST, 400),
    ("RFC 9112 3", b"GET / HTTP/1.1 " + HOST, 400),
    ("RFC 9112 2.2", b"GET / HTTP/1.1\nHost: h", 400),
    ("RFC 9112 2.2", b"GET /\rx HTTP/1.1" + HOST, 400),
    ("RFC 9112 2.3", b"GET / http/1.1" + HOST, 400),
    ("RFC 9112 2.3", b"GET / HTTP/1.1.1" + HOST, 400),
    ("F3", b"GET / HTTP/0.9" + HOST, 505),
    ("F3", b"GET / HTTP/1.2" + HOST, 505),
    ("F3", b"GET / HTTP/2.0" + HOST, 505),
    ("F3", b"GET / HTTP/2" + HOST, 505),
    ("F3", b"PRI * HTTP/2.0", 505),
    ("RFC 9110 9.1", b"get / HTTP/1.1" + HOST, 501),
    ("RFC 9110 9.1", b"FROB / HTTP/1.1" + HOST, 501),
    ("RFC 9110 5.6.2", b"G(T / HTTP/1.1" + HOST, 400),
    ("H1", b"CONNECT h:443 HTTP/1.1" + HOST, 405),
    ("H1", b"CONNECT h#:443 HTTP/1.1" + HOST, 400),
    ("H1", b"GET /a#b HTTP/1.1" + HOST, 400),
    ("H1", b"GET * HTTP/1.1" + HOST, 400),
    ("H1", b"OPTIONS ** HTTP/1.1" + HOST, 400),
    ("H1", b"GET a HTTP/1.1" + HOST, 400),
    ("H1", b"GET ftp://o/ HTTP/1.1" + HOST, 400),
    ("H1", b"GET http:/// HTTP/1.1" + HOST, 400),
    ("H1", b"GET http://u:p@o/ HTTP/1.1" + HOST, 400),
    ("RFC 3986 2", b"GET /caf\xc3\xa9 HTTP/1.1" + HOST, 400),
    ("RFC 3986 2", b"GET /\x7f HTTP/1.1" + HOST, 400),
    ("RFC 9112 3.2", b"GET / HTTP/1.1", 400),
    ("RFC 9112 3.2", b"GET / HTTP/1.1" + HOST + HOST, 400),
    ("RFC 9112 3.2", b"GET / HTTP/1.0" + HOST + HOST, 400),
    ("RFC 9112 3.2", b"GET / HTTP/1.1\r\nHost:", 400),
    ("RFC 9112 3.2", b"GET http://o/ HTTP/1.1", 400),
    ("RFC 9112 3.2", b"GET http://o/ HTTP/1.1\r\nHost: a b", 400),
    ("RFC 9112 5.2", b"GET / HTTP/1.1" + HOST + b"\r\n a", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 0", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nContent-Length: 1\r\nContent-Length: 1", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nContent-Length: 1, 1", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: gzip, chunked", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: ,chunked", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: chunked;q=1", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: \x0bchunked", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding:", 400),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: gzip", 501),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: identity", 501),
    ("F1", b"POST / HTTP/1.1" + HOST + b"\r\nTransfer-Encoding: xchunked", 501),
    ("F2", b"POST / HTTP/1.1" + HOST + b"\r\nContent-Length: 003", 400),
    ("F2", b"POST / HTTP/1.1" + HOST + b"\r\nContent-Length: 1234567890123456789", 400),
    ("F2", b"POST / HTTP/1.1" + HOST + b"\r\nContent-Length:", 400),
    ("F3", b"POST / HTTP/1.0" + HOST + b"\r\nTransfer-Encoding: chunked", 400),
    ("E1", b"POST / HTTP/1.1" + HOST + b"\r\nExpect: 200-ok", 417),
    ("E1", b"POST / HTTP/1.1" + HOST + b"\r\nExpect: 100-continue, x", 417),
    ("H5", b"GET /" + b"a" * 8192 + b" HTTP/1.1" + HOST, 414),
    ("H5", b"GET / HTTP/1.1" + HOST + b"\r\nA: " + b"b" * 8192, 431),
    ("H5", b"GET / HTTP/1.1" + HOST + b"\r\nA: b" * 100, 431),
]


@pytest.mark.parametrize(
    ("rule", "head", "status"), [pytest.param(*case, id=f"{case[0]} {case[1][:60]!r}") for case in REFUSED]
)
def test_refused(rule: str, head: bytes, status: int) -> None:
    assert fails(head) == status


def test_at_the_limits() -> None:
    parse(b"GET /" + b"a" * 8191 + b" HTTP/1.1" + HOST)
    parse(b"GET / HTTP/1.1" + HOST + b"\r\nA: " + b"b" * 8188 + b"\r\nA: b" * 98)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_known_methods(method: bytes) -> None:
    request = parse(method + b" / HTTP/1.1" + HOST)
    assert (request.method, request.is_head) == (method, method == b"HEAD")
    # RFC 9110 9.2.2, of the methods that RFC defines.
    assert request.idempotent is (method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


@pytest.mark.parametrize("line", [b"GET /a HTTP/1.1", b"POST /a?b HTTP/1.0"])
def test_request_line_alone(line: bytes) -> None:
    method, target, version = line.split(b" ")
    assert parse_line(line, HeadLimits()) == (method, target, int(version[-1:]))


FIELDS = [
    # rule, lines sent after Host, lines that go on after it
    ("order, case, duplicates", b"\r\nB: 1\r\na: 2\r\nB:3\r\nA:\t4 ", None),
    ("obs-text", b"\r\nA: \xff\xe9", None),
    ("H2", b"\r\nConnection: close\r\nKeep-Alive: 5\r\nA: b", b"\r\nA: b"),
    ("H2", b"\r\nProxy-Connection: a\r\nProxy-Authorization: b\r\nProxy-Authenticate: c", b""),
    ("H2", b"\r\nTE: trailers\r\nTrailer: A\r\nUpgrade: h2c\r\nHTTP2-Settings: x", b""),
    ("H2", b"\r\nConnection: x-a, X-B\r\nX-A: 1\r\nx-b: 2\r\nx-c: 3\r\nX-A: 4", b"\r\nx-c: 3"),
    ("H2", b"\r\nX-A: 1\r\nConnection: close\r\nConnection: ,x-a ,", b""),
    ("H2", b"\r\nConnection: cookie\r\nCookie: a=b", b""),
    ("F4", b"\r\nConnection: host", b""),
    ("F4", b"\r\nContent-Length: 3", b""),
    ("F4", b"\r\nTransfer-Encoding: Chunked", b""),
    ("H3", b"\r\nX-Forwarded-For: a\r\nX-Forwarded-Proto: b\r\nX-Forwarded-Host: c\r\nForwarded: d", b""),
    ("H3", b"\r\nx_forwarded_for: a\r\nX-Forwarded_Host: b\r\nContent_Length: 3\r\nTransfer_Encoding: chunked", b""),
    ("H3", b"\r\nX-Cutover-Arm: canary\r\nX-Cutover-Shadow: 1\r\nx_cutover_token: t\r\nX-Cutover-New: 1", b""),
    ("H3", b"\r\nX-Cutove: 1\r\nX-Cutoverarm: 2", None),
    ("H3", b"\r\nX-Request-Id: r\r\nX_Request_Id: s", b""),
    ("H3", b"\r\nX-User: u\r\nx_user: v", b"\r\nX-User: u"),
    ("E1", b"\r\nExpect: 100-continue", b""),
    ("end to end", b"\r\nTraceparent: 00-ab\r\nCookie: a=b\r\nCookie: c=d\r\nAuthorization: x", None),
]


@pytest.mark.parametrize(("rule", "sent", "left"), FIELDS)
def test_fields_that_go_on(rule: str, sent: bytes, left: bytes | None) -> None:
    expected = sent if left is None else left
    assert parse(b"POST / HTTP/1.1" + HOST + sent).block == HOST + expected
    assert parse(b"POST / HTTP/1.1" + sent + HOST).block == expected + HOST
    assert parse(b"POST http://o/ HTTP/1.1" + sent + HOST).block == b"\r\nHost: o" + expected


FRAMING = [
    ("6.3 rule 7", b"GET / HTTP/1.1", b"", 0),
    ("6.3 rule 6", b"POST / HTTP/1.1", b"\r\nContent-Length: 0", 0),
    ("6.3 rule 6", b"POST / HTTP/1.1", b"\r\nContent-Length: 12", 12),
    ("6.3 rule 6", b"GET / HTTP/1.1", b"\r\ncontent-length:999999999999999999 ", 999999999999999999),
    ("6.3 rule 4", b"POST / HTTP/1.1", b"\r\nTransfer-Encoding: chunked", -1),
    ("6.3 rule 4", b"DELETE / HTTP/1.1", b"\r\ntransfer-encoding:\tCHUNKED ", -1),
    ("F4", b"POST / HTTP/1.1", b"\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked", -1),
    ("F4", b"POST / HTTP/1.1", b"\r\nConnection: content-length\r\nContent-Length: 1", 1),
    ("H3", b"POST / HTTP/1.1", b"\r\nContent_Length: 1", 0),
    ("6.3 rule 6", b"POST / HTTP/1.0", b"\r\nContent-Length: 1", 1),
]


@pytest.mark.parametrize(("rfc", "line", "fields", "body"), FRAMING)
def test_framing(rfc: str, line: bytes, fields: bytes, body: int) -> None:
    assert parse(line + HOST + fields).body == body


PERSISTENCE = [
    # RFC 9112 9.3
    (b"HTTP/1.1", b"", True),
    (b"HTTP/1.1", b"\r\nConnection: keep-alive", True),
    (b"HTTP/1.1", b"\r\nConnection: close", False),
    (b"HTTP/1.1", b"\r\nConnection: x-a\r\nConnection: CLOSE", False),
    (b"HTTP/1.1", b"\r\nConnection: keep-alive, close", False),
    (b"HTTP/1.1", b"\r\nConnection: closed", True),
    (b"HTTP/1.0", b"", False),
    (b"HTTP/1.0", b"\r\nConnection: Keep-Alive", True),
    (b"HTTP/1.0", b"\r\nConnection: keep-alive, close", False),
]


@pytest.mark.parametrize(("version", "fields", "kept"), PERSISTENCE)
def test_persistence(version: bytes, fields: bytes, kept: bool) -> None:
    assert parse(b"GET / " + version + HOST + fields).keep_alive is kept


CONTINUE = [
    # RFC 9110 10.1.1
    (b"POST / HTTP/1.1", b"\r\nContent-Length: 1\r\nExpect: 100-continue", True),
    (b"POST / HTTP/1.1", b"\r\nTransfer-Encoding: chunked\r\nexpect: 100-Continue", True),
    (b"POST / HTTP/1.1", b"\r\nContent-Length: 0\r\nExpect: 100-continue", False),
    (b"GET / HTTP/1.1", b"\r\nExpect: 100-continue", False),
    (b"POST / HTTP/1.0", b"\r\nContent-Length: 1\r\nExpect: 100-continue", False),
    (b"POST / HTTP/1.0", b"\r\nContent-Length: 1\r\nExpect: anything", False),
    (b"POST / HTTP/1.1", b"\r\nContent-Length: 1", False),
]


@pytest.mark.parametrize(("line", "fields", "expects"), CONTINUE)
def test_expect(line: bytes, fields: bytes, expects: bool) -> None:
    assert parse(line + HOST + fields).expects_continue is expects


WEBSOCKET = b"\r\nConnection: Upgrade\r\nUpgrade: websocket"
UPGRADES = [
    # RFC 6455 4.1, RFC 9110 7.8
    (b"GET / HTTP/1.1", WEBSOCKET, True),
    (b"GET / HTTP/1.1", b"\r\nupgrade:WebSocket\r\nconnection:keep-alive, upgrade", True),
    (b"GET / HTTP/1.0", WEBSOCKET, False),
    (b"POST / HTTP/1.1", WEBSOCKET, False),
    (b"GET / HTTP/1.1", WEBSOCKET + b"\r\nContent-Length: 1", False),
    (b"GET / HTTP/1.1", WEBSOCKET + b"\r\nTransfer-Encoding: chunked", False),
    (b"GET / HTTP/1.1", b"\r\nUpgrade: websocket", False),
    (b"GET / HTTP/1.1", b"\r\nConnection: upgrade", False),
    (b"GET / HTTP/1.1", b"\r\nConnection: Upgrade\r\nUpgrade: h2c", False),
    (b"GET / HTTP/1.1", b"\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket", False),
    (b"GET / HTTP/1.1", b"\r\nConnection: Upgrade\r\nUpgrade: websockets", False),
]


@pytest.mark.parametrize(("line", "fields", "upgrades"), UPGRADES)
def test_upgrade(line: bytes, fields: bytes, upgrades: bool) -> None:
    request = parse(line + HOST + fields)
    assert request.upgrades is upgrades
    assert request.block == HOST


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", b""),
        (b"\r\nX-Request-Id: a-1", b"a-1"),
        (b"\r\nX-Request-Id: " + b"a" * 128, b"a" * 128),
        (b"\r\nX-Request-Id: " + b"a" * 129, b""),
        (b"\r\nX-Request-Id: a b", b""),
        (b"\r\nX-Request-Id: \xe9", b""),
        (b"\r\nX-Request-Id:", b""),
        (b"\r\nX-Request-Id: a\r\nX-Request-Id: a", b""),
        (b"\r\nX_Request_Id: a", b""),
    ],
)
def test_request_id(fields: bytes, expected: bytes) -> None:
    """H4: what we insert again is checked."""
    assert parse(b"GET / HTTP/1.1" + HOST + fields).request_id == expected


HOSTS = [b"h", b"h:", b"h:80", b"a.b-c_d", b"192.0.2.1", b"[::1]", b"[::ffff:1.2.3.4]:80", b"%41", b"a!$&'()*+,;=~"]
NO_HOSTS = [b"", b":", b":80", b"h:a", b"h:123456", b"h:80:80", b"a b", b"a/b", b"a?b", b"u@h", b"h%zz", b"h%4"]
NO_HOSTS += [b"[::1", b"[]", b"::1", b"[::1]x", b"h\\", b"h<", b"\xe9", b"h\t"]


@pytest.mark.parametrize(("host", "valid"), [*((host, True) for host in HOSTS), *((host, False) for host in NO_HOSTS)])
def test_hosts(host: bytes, valid: bool) -> None:
    """RFC 9110 7.2: uri-host [ ":" port ]."""
    assert valid_host(host) is valid
    if valid:
        assert parse(b"GET / HTTP/1.1\r\nHost: " + host).host == host
    else:
        assert fails(b"GET / HTTP/1.1\r\nHost: " + host.replace(b"\t", b"\tx")) == 400


def test_what_the_split_reads_is_collected() -> None:
    request = parse(b"GET / HTTP/1.1" + HOST + b"\r\nX-User: u \r\nx_user: v\r\nCookie: a\r\ncookie: b\r\nA: c")
    assert request.fields[b"x-user"] == [b"u"]
    assert request.fields[b"cookie"] == [b"a", b"b"]
    assert b"a" not in request.fields


def test_a_head_means_the_same_each_time() -> None:
    head = b"GET / HTTP/1.1" + HOST + b"\r\nConnection: x-a\r\nX-A: 1"
    assert parse(head).block == parse(head).block == HOST


def test_many_hosts_are_no_growth() -> None:
    for number in range(2000):
        parse(b"GET / HTTP/1.1\r\nHost: h%d" % number)
    assert fails(b"GET / HTTP/1.1\r\nHost: h h") == 400


# Heads as clients write them, well and badly.

LINES = st.sampled_from(
    [
        *(b"GET / HTTP/1.1", b"HEAD /a?b HTTP/1.1", b"POST /x HTTP/1.1", b"PUT http://o/a HTTP/1.1"),
        *(b"OPTIONS * HTTP/1.1", b"GET / HTTP/1.0", b"DELETE /%2f HTTP/1.1", b"GET /a|b HTTP/1.1"),
        *(b"BREW / HTTP/1.1", b"GET /#a HTTP/1.1"),
    ]
)
NAMES = st.sampled_from(
    b"Host host Connection Content-Length content_length Transfer-Encoding TE Expect Upgrade Keep-Alive A B-C x-user "
    b"X-Forwarded-For X-Request-Id Cookie".split()
)
VALUES = st.sampled_from(
    [
        *(b"h", b"h:80", b"close", b"keep-alive, a", b"0", b"1", b"01", b"12, 12", b"chunked", b"Chunked"),
        *(b"gzip, chunked", b"100-continue", b"websocket", b"", b" ", b"\xe9", b"a, b-c", b"host"),
        b"transfer-encoding",
    ]
)
SECTIONS = st.lists(st.tuples(NAMES, st.sampled_from([b":", b": ", b" :", b":\t"]), VALUES), max_size=6)
HEADS = st.builds(
    lambda line, host, section: line + host + b"".join(b"\r\n" + b"".join(parts) for parts in section),
    LINES,
    st.sampled_from([HOST, HOST, HOST, b""]),
    SECTIONS,
)


@given(HEADS)
@settings(max_examples=400)
def test_h11_reads_what_we_accept(head: bytes) -> None:
    try:
        request = parse(head)
    except RequestError:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head + b"\r\n\r\n")
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert event.method == request.method
    if event.target.startswith(b"/"):
        assert event.target == request.target
    framing = {name: value for name, value in event.headers if name in (b"content-length", b"transfer-encoding")}
    expected = {b"transfer-encoding": b"chunked"} if request.body < 0 else {b"content-length": b"%d" % request.body}
    assert framing == expected or (not framing and request.body == 0)
    if request.keep_alive:  # h11 never keeps HTTP/1.0
        assert request.minor == 0 or connection.our_state is not h11.MUST_CLOSE


@given(HEADS)
@settings(max_examples=400)
def test_h11_reads_what_goes_on(head: bytes) -> None:
    """Same method, target and fields for the next reader, whatever was in the head."""
    try:
        request = parse(head)
    except RequestError:
        return
    connection = h11.Connection(h11.SERVER)
    line = b"%b %b HTTP/1.1" % (request.method, request.target)
    connection.receive_data(line + request.block + (b"" if request.host else HOST) + b"\r\n\r\n")
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (request.method, request.target)
    names = [name for name, _ in event.headers]
    assert names.count(b"host") == 1
    assert not {b"connection", b"content-length", b"transfer-encoding", b"te", b"upgrade", b"expect"} & set(names)


@given(st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n"]), st.binary(max_size=100))
def test_random_bytes_raise_nothing_else(start: bytes, tail: bytes) -> None:
    refused: RequestError | None = None
    try:
        parse(start + tail)
    except RequestError as error:
        refused = error
    assert refused is None or 400 <= refused.status < 600

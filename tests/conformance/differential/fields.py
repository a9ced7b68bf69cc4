"""The differential's cases of field lines, hop-by-hop fields, upgrades and expectations (RFC 9110 5, 7 and 10)."""

from __future__ import annotations

from tests.conformance.differential.case import CHUNKS, GET, POST, POST_10, WEBSOCKET, Case

FOLD = "RFC 9112 5.2 allows to refuse a folded field; HAProxy unfolds it"
NO_COLON = "a line without a colon is no field (RFC 9112 5); nginx makes one of it"
NAME = "a name is a token (RFC 9110 5.1); we refuse the request, nginx drops the field"
ODD_NAME = "all that is a token goes on; nginx drops names with other characters than letters, digits and `-`"
BARE_LF = "RFC 9112 2.2 lets a recipient take a bare LF for CRLF; readers that don't then see other lines, so we refuse"
CONTROL = (
    "control characters in a value are invalid and dangerous (RFC 9110 5.5); who forwards them leaves it to the "
    "upstream"
)
TWIN = "H3: a field that we write has no twin with `_`; nginx drops all such names, HAProxy none"
UNDERSCORE = "names with `_` go on unless they are twins of fields that we read or write; nginx drops all of them"
LIMIT = "H5: 100 fields, 8 KiB a field, 32 KiB a head; nginx has 8 KB a line and 32 KB, HAProxy 101 fields and 16 KiB"
NAMED = "H2: what Connection names ends at this hop (RFC 9110 7.6.1); nginx and HAProxy forward it"
HOP = "H2: hop-by-hop fields end here; nginx and HAProxy forward some"
UPGRADE = "E3: only WebSocket handshakes keep Upgrade (and with GET alone); others go on as plain requests"
CONTINUE = "E1: the expectation is the upstream's to answer; nginx answers 100 itself"
CONTINUE_OLD = "RFC 9110 10.1.1: in 1.0, and without a body, the expectation means nothing, so it is dropped"
EXPECT = "E1: an expectation that nobody here understands is 417 (RFC 9110 10.1.1)"
INTERNAL = "H3: clients can't set the router's internal fields"

CASES = [
    # Field lines.
    Case("field-kept", GET + b"X-A: 1\r\n\r\n", "200 keeps · GET /p x-a=1"),
    Case("field-twice", GET + b"X-A: 1\r\nx-a: 2\r\n\r\n", "200 keeps · GET /p x-a=1 x-a=2"),
    Case("field-empty", GET + b"X-A:\r\n\r\n", "200 keeps · GET /p x-a="),
    Case("field-white-space", GET + b"X-A: \t a  b \t \r\n\r\n", "200 keeps · GET /p x-a=a  b"),
    Case("field-obs-text", GET + b"X-A: caf\xe9\r\n\r\n", "200 keeps · GET /p x-a=caf\\xe9"),
    Case("field-folded", GET + b"X-A: 1\r\n 2\r\n\r\n", "400", haproxy="200 keeps · GET /p x-a=1   2", why=FOLD),
    Case("field-first-folded", b"GET /p HTTP/1.1\r\n X-A: 1\r\nHost: h\r\n\r\n", "400"),
    Case("field-space-before-colon", GET + b"X-A : 1\r\n\r\n", "400"),
    Case("field-no-colon", GET + b"X-A\r\n\r\n", "400", nginx="200 keeps · GET /p x-a=", why=NO_COLON),
    Case("field-no-name", GET + b": 1\r\n\r\n", "400"),
    Case("field-space-in-name", GET + b"X A: 1\r\n\r\n", "400"),
    Case("field-name-not-a-token", GET + b"X(A): 1\r\n\r\n", "400", nginx="200 keeps · GET /p", why=NAME),
    Case("field-name-obs-text", GET + b"X-\xe9: 1\r\n\r\n", "400", nginx="200 keeps · GET /p", why=NAME),
    Case(
        "field-odd-token",
        GET + b"X!#$%&'*+.^`|~: 1\r\n\r\n",
        "200 keeps · GET /p x!#$%&'*+.^`|~=1",
        nginx="200 keeps · GET /p",
        why=ODD_NAME,
    ),
    Case("field-bare-cr", GET + b"X-A: 1\rX-B: 2\r\n\r\n", "400"),
    Case(
        "field-bare-lf",
        GET + b"X-A: 1\nX-B: 2\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p x-a=1 x-b=2",
        haproxy="200 keeps · GET /p x-a=1 x-b=2",
        why=BARE_LF,
    ),
    Case(
        "field-lf-end",
        GET + b"X-A: 1\r\n\n",
        "400",
        nginx="200 keeps · GET /p x-a=1",
        haproxy="200 keeps · GET /p x-a=1",
        why=BARE_LF,
    ),
    Case("field-nul", GET + b"X-A: 1\x002\r\n\r\n", "400", haproxy="400 by the upstream keeps", why=CONTROL),
    Case(
        "field-bell",
        GET + b"X-A: 1\x072\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p x-a=1\\x072",
        haproxy="200 keeps · GET /p x-a=1\\x072",
        why=CONTROL,
    ),
    Case(
        "field-del",
        GET + b"X-A: 1\x7f2\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p x-a=1\\x7f2",
        haproxy="200 keeps · GET /p x-a=1\\x7f2",
        why=CONTROL,
    ),
    Case("underscore", GET + b"X_A: 1\r\n\r\n", "200 keeps · GET /p x_a=1", nginx="200 keeps · GET /p", why=UNDERSCORE),
    Case(
        "underscore-forwarded",
        GET + b"X_Forwarded_For: 6.6.6.6\r\n\r\n",
        "200 keeps · GET /p",
        haproxy="200 keeps · GET /p x_forwarded_for=6.6.6.6",
        why=TWIN,
    ),
    Case(
        "underscore-host",
        GET + b"HTTP_HOST: i\r\n\r\n",
        "200 keeps · GET /p http_host=i",
        nginx="200 keeps · GET /p",
        why=UNDERSCORE,
    ),
    Case("proxy-field", GET + b"Proxy: http://evil\r\n\r\n", "200 keeps · GET /p proxy=http://evil"),
    Case(
        "fields-101",
        GET + b"X-A: 1\r\n" * 101 + b"\r\n",
        "431",
        nginx="200 keeps · GET /p (101 fields)",
        haproxy="400",
        why=LIMIT,
    ),
    Case("fields-90", GET + b"X-A: 1\r\n" * 90 + b"\r\n", "200 keeps · GET /p (90 fields)"),
    Case(
        "field-8000",
        GET + b"X-A: " + b"a" * 8000 + b"\r\n\r\n",
        "200 keeps · GET /p x-a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… 8000 bytes",
    ),
    Case(
        "field-9000",
        GET + b"X-A: " + b"a" * 9000 + b"\r\n\r\n",
        "431",
        nginx="400",
        haproxy="200 keeps · GET /p x-a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… 9000 bytes",
        why=LIMIT,
    ),
    Case(
        "head-30000",
        GET + (b"X-A: " + b"a" * 5000 + b"\r\n") * 6 + b"\r\n",
        "200 keeps · GET /p (6 fields)",
        nginx="400",
        haproxy="400",
        why=LIMIT,
    ),
    Case(
        "head-40000",
        GET + (b"X-A: " + b"a" * 5000 + b"\r\n") * 8 + b"\r\n",
        "431",
        nginx="400",
        haproxy="400",
        why=LIMIT,
    ),
    Case("head-unfinished", GET + b"X-A: 1\r\n", "400"),
    # Hop-by-hop.
    Case(
        "connection-names-field",
        GET + b"Connection: X-A\r\nX-A: 1\r\n\r\n",
        "200 keeps · GET /p",
        nginx="200 keeps · GET /p x-a=1",
        haproxy="200 keeps · GET /p x-a=1",
        why=NAMED,
    ),
    Case("connection-names-host", GET + b"Connection: host\r\n\r\n", "200 keeps · GET /p"),
    Case(
        "connection-names-ours",
        GET + b"Connection: x-forwarded-for, cookie\r\nCookie: a=1\r\n\r\n",
        "200 keeps · GET /p",
        nginx="200 keeps · GET /p cookie=a=1",
        haproxy="200 keeps · GET /p cookie=a=1",
        why=NAMED,
    ),
    Case("connection-close", GET + b"Connection: close\r\n\r\n", "200 · GET /p"),
    Case("connection-close-case", GET + b"Connection: foo, CLOSE\r\n\r\n", "200 · GET /p"),
    Case("connection-odd", GET + b"Connection: ,,close ,\r\n\r\n", "200 · GET /p"),
    Case(
        "keep-alive",
        GET + b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
        "200 keeps · GET /p",
        haproxy="200 keeps · GET /p keep-alive=timeout=5",
        why=HOP,
    ),
    Case(
        "te-trailers",
        GET + b"TE: trailers\r\nConnection: TE\r\n\r\n",
        "200 keeps · GET /p",
        haproxy="200 keeps · GET /p te=trailers",
        why=HOP,
    ),
    Case("te-gzip-accepted", GET + b"TE: gzip, trailers;q=0.5\r\n\r\n", "200 keeps · GET /p"),
    Case(
        "proxy-connection",
        GET + b"Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n\r\n",
        "200 keeps · GET /p",
        nginx="200 keeps · GET /p proxy-connection=keep-alive proxy-authorization=Basic eA==",
        haproxy="200 keeps · GET /p proxy-connection=keep-alive proxy-authorization=Basic eA==",
        why=HOP,
    ),
    Case(
        "max-forwards",
        b"OPTIONS /p HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n",
        "200 keeps · OPTIONS /p max-forwards=0",
    ),
    Case("via", GET + b"Via: 1.1 a\r\n\r\n", "200 keeps · GET /p via=1.1 a"),
    Case(
        "upgrade-h2c",
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
        "200 keeps · GET /p",
        nginx="200 keeps · GET /p http2-settings=AAMA",
        haproxy="200 keeps · GET /p upgrade=h2c http2-settings=AAMA",
        why=UPGRADE,
    ),
    Case(
        "upgrade-h2c-post",
        POST
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
        + b"Content-Length: 5\r\n\r\nhello",
        "200 keeps · POST /p [hello]",
        nginx="200 keeps · POST /p http2-settings=AAMA [hello]",
        haproxy="200 keeps · POST /p http2-settings=AAMA [hello]",
        why=UPGRADE,
    ),
    Case(
        "upgrade-websocket-declined",
        WEBSOCKET,
        "200 keeps · GET /p upgrade=websocket",
        nginx="200 keeps · GET /p",
        why=UPGRADE,
    ),
    Case(
        "upgrade-websocket-unnamed",
        GET + b"Upgrade: websocket\r\n\r\n",
        "200 keeps · GET /p",
        haproxy="200 keeps · GET /p upgrade=websocket",
        why=UPGRADE,
    ),
    Case(
        "expect-continue",
        POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        "200 keeps · POST /p expect=100-continue [hello]",
        nginx="100 200 keeps · POST /p [hello]",
        why=CONTINUE,
    ),
    Case(
        "expect-continue-chunked",
        POST + b"Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        "200 keeps · POST /p expect=100-continue [hello]",
        nginx="100 200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p expect=100-Continue [hello]",
        why=CONTINUE,
    ),
    Case(
        "expect-continue-1.0",
        POST_10 + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        "200 · POST /p [hello]",
        haproxy="200 · POST /p expect=100-continue [hello]",
        why=CONTINUE_OLD,
    ),
    Case(
        "expect-continue-no-body",
        GET + b"Expect: 100-continue\r\n\r\n",
        "200 keeps · GET /p",
        nginx="100 200 keeps · GET /p",
        haproxy="200 keeps · GET /p expect=100-continue",
        why=CONTINUE_OLD,
    ),
    Case(
        "expect-other",
        POST + b"Expect: tea\r\nContent-Length: 5\r\n\r\nhello",
        "417",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p expect=tea [hello]",
        why=EXPECT,
    ),
    Case(
        "expect-twice",
        POST + b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        "417",
        nginx="400",
        haproxy="200 keeps · POST /p expect=100-continue expect=100-continue [hello]",
        why=EXPECT,
    ),
    # Said of the client.
    Case(
        "forwarded-for",
        GET + b"X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\r\n",
        "200 keeps · GET /p x-real-ip=6.6.6.6",
    ),
    Case(
        "internal-arm",
        GET + b"X-Cutover-Shadow: 1\r\n\r\n",
        "200 keeps · GET /p",
        nginx="200 keeps · GET /p x-cutover-shadow=1",
        haproxy="200 keeps · GET /p x-cutover-shadow=1",
        why=INTERNAL,
    ),
]

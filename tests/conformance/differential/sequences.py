"""The differential's cases of several requests in one segment (RFC 9112 9.3)."""

from __future__ import annotations

from tests.conformance.differential.case import CHUNKED, CHUNKS, GET, HEAD, POST, WEBSOCKET, Case

BARE_LF = "RFC 9112 2.2: empty lines before a request are CRLF; we refuse a bare LF there too"
TOKEN = "`!GET` is a well-formed method, but not one we know; HAProxy forwards any token"
HOSTLESS = (
    "1.0 needs no Host, the 1.1 request that goes on does: ours names the upstream, nginx's and HAProxy's have none"
)
HOST_NEEDED = "B4: nothing runs after an error; HAProxy forwards a 1.1 request without Host and serves the next one"
OLDEST = "all refuse HTTP/0.9; nginx without a status line"
UPGRADE = "E3: only WebSocket handshakes keep Upgrade; nginx needs to be told, HAProxy forwards any"
CONTINUE = "E1: the expectation is the upstream's to answer; nginx answers 100 itself"

CASES = [
    # Pipelines.
    Case("pipeline-two", GET + b"\r\n" + b"GET /q HTTP/1.1\r\nHost: h\r\n\r\n", "200 200 keeps · GET /p · GET /q"),
    Case(
        "pipeline-five",
        b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(5)),
        "200 200 200 200 200 keeps · GET /0 · GET /1 · GET /2 · GET /3 · GET /4",
    ),
    Case(
        "pipeline-bodies",
        POST + b"Content-Length: 5\r\n\r\nhello" + CHUNKED + CHUNKS + GET + b"\r\n",
        "200 200 200 keeps · POST /p [hello] · POST /p [hello] · GET /p",
    ),
    Case(
        "pipeline-body-is-request",
        POST + b"Content-Length: 29\r\n\r\nGET /in HTTP/1.1\r\nHost: h\r\n\r\n" + GET + b"\r\n",
        "200 200 keeps · POST /p [GET /in HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n] · GET /p",
    ),
    Case(
        "pipeline-crlf-between",
        POST + b"Content-Length: 5\r\n\r\nhello\r\n" + GET + b"\r\n",
        "200 200 keeps · POST /p [hello] · GET /p",
    ),
    Case(
        "pipeline-lf-between",
        POST + b"Content-Length: 5\r\n\r\nhello\n" + GET + b"\r\n",
        "200 400 · POST /p [hello]",
        nginx="200 200 keeps · POST /p [hello] · GET /p",
        haproxy="200 200 keeps · POST /p [hello] · GET /p",
        why=BARE_LF,
    ),
    Case(
        "pipeline-extra-byte",
        POST + b"Content-Length: 5\r\n\r\nhello!" + GET + b"\r\n",
        "200 501 · POST /p [hello]",
        nginx="200 400 · POST /p [hello]",
        haproxy="200 200 keeps · POST /p [hello] · !GET /p",
        why=TOKEN,
    ),
    Case("pipeline-after-close", GET + b"Connection: close\r\n\r\n" + GET + b"\r\n", "200 · GET /p"),
    Case(
        "pipeline-after-1.0",
        b"GET /p HTTP/1.0\r\n\r\n" + GET + b"\r\n",
        "200 · GET /p host=UPSTREAM",
        nginx="400 by the upstream",
        haproxy="200 · GET /p",
        why=HOSTLESS,
    ),
    Case(
        "pipeline-1.0-kept",
        b"GET /p HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET + b"\r\n",
        "200 200 keeps · GET /p host=UPSTREAM · GET /p",
        nginx="400 by the upstream 200 keeps · GET /p",
        haproxy="200 200 keeps · GET /p · GET /p",
        why=HOSTLESS,
    ),
    Case(
        "pipeline-after-error",
        b"GET /p HTTP/1.1\r\n\r\n" + GET + b"\r\n",
        "400",
        haproxy="400 by the upstream 200 keeps · GET /p",
        why=HOST_NEEDED,
    ),
    Case(
        "pipeline-error-second",
        GET + b"\r\n" + b"GET /p HTTP/1.1\r\nHost: h\r\nX A: 1\r\n\r\n" + GET + b"\r\n",
        "200 400 · GET /p",
    ),
    Case("pipeline-chunk-error", CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n" + GET + b"\r\n", "400"),
    Case("pipeline-0.9-second", GET + b"\r\n" + b"GET /q\r\n", "200 400 · GET /p", nginx="200 · GET /p", why=OLDEST),
    Case("pipeline-head-second", HEAD + b"\r\n" + GET + b"\r\n", "200 200 keeps · HEAD /p · GET /p"),
    Case(
        "pipeline-upgrade-then",
        GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + b"\r\n",
        "200 200 keeps · GET /p · GET /p",
        haproxy="200 200 keeps · GET /p upgrade=h2c · GET /p",
        why=UPGRADE,
    ),
    Case(
        "pipeline-websocket-then",
        WEBSOCKET + GET + b"\r\n",
        "200 200 keeps · GET /p upgrade=websocket · GET /p",
        nginx="200 200 keeps · GET /p · GET /p",
        why=UPGRADE,
    ),
    Case(
        "pipeline-expect-then",
        POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" + GET + b"\r\n",
        "200 200 keeps · POST /p expect=100-continue [hello] · GET /p",
        nginx="100 200 200 keeps · POST /p [hello] · GET /p",
        why=CONTINUE,
    ),
    Case("pipeline-nul-between", GET + b"\r\n\0" + GET + b"\r\n", "200 400 · GET /p"),
]

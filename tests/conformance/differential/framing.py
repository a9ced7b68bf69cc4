"""The differential's cases of where a body ends: Content-Length, chunks, trailers (RFC 9112 6, 7)."""

from __future__ import annotations

from tests.conformance.differential.case import CHUNKED, CHUNKS, GET, HEAD, POST, POST_10, Case

BOTH = (
    "F1: a message with both framings is refused, as RFC 9112 6.1 allows; HAProxy believes Transfer-Encoding and closes"
)
CODING = "F1: any coding but chunked is refused by all; only the status differs"
CODING_ON = "F1: nothing but chunked is understood here; HAProxy forwards the list, and its reader is who decides"
OWS = "RFC 9110 5.6.3: a tab is white space like a space"
FOLD = "RFC 9112 5.2 allows to refuse a folded field; HAProxy unfolds it"
TWIN = "H3: some servers read `_` as `-`, so the twins of framing fields aren't forwarded"
OLD = "F3: RFC 9112 6.1: Transfer-Encoding in 1.0 is faulty framing; HAProxy believes it and closes"
SAME_CL = "F1: RFC 9112 6.3 allows to take equal lengths for one; we refuse, as that is simpler to get right"
DIGITS = "F2: servers that take a leading zero for octal read another length"
LARGE = (
    "nginx limits bodies to 1 MB and holds them back until they are whole; we forward as it comes, and give up in time"
)
UNFINISHED = "the body never ends: 408 after our time-out, nothing from nginx, 504 after the upstream's from HAProxy"
TOKEN = "`helloGET` is a well-formed method, but not one we know; HAProxy forwards any token"
ZEROS = "a chunk size has at most 15 digits here; no sender pads it further"
BARE_LF = "RFC 9112 2.2 lets a recipient take a bare LF for CRLF; readers that don't then see other lines, so we refuse"
CONTROL = "a control character in an extension is in no grammar (RFC 9112 7.1.1)"
EXTENSION = "F5: extensions are capped at 4 KiB a line"
CHUNK_SPACE = "RFC 9112 7.1 has no space behind a chunk size"
SHORT = "a bare LF again: the CR is taken for data, the LF for the chunk's end"
NO_END = "the next request's first line stands where a trailer may: nginx has answered by then, both others refuse it"
HOP = "H2, F6: Trailer ends at this hop, as the trailers that it announces do"
TRAILERS = "F6: trailers are dropped, whatever they say, so a forbidden one needn't be refused"
TRAILER_GRAMMAR = "F6: trailers are dropped, but must be well-formed; nginx doesn't look at them"

CASES = [
    # Content-Length and Transfer-Encoding.
    Case(
        "cl-and-te",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        "400",
        haproxy="200 · POST /p [hello]",
        why=BOTH,
    ),
    Case(
        "te-and-cl",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
        "400",
        haproxy="200 · POST /p [hello]",
        why=BOTH,
    ),
    Case(
        "cl-te-smuggle",
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        "400",
        haproxy="200 · POST /p",
        why=BOTH,
    ),
    Case(
        "te-cl-smuggle",
        POST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1d\r\nGET /in HTTP/1.1\r\nHost: h\r\n\r\n\r\n0\r\n\r\n",
        "400",
        haproxy="200 · POST /p [GET /in HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n]",
        why=BOTH,
    ),
    Case(
        "te-identity-and-cl",
        POST + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        "400",
        nginx="501",
        why=CODING,
    ),
    Case("te-twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, "400"),
    Case(
        "te-list-twice", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + CHUNKS, "400", nginx="501", why=CODING
    ),
    Case(
        "te-chunked-then-identity",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS,
        "400",
    ),
    Case("te-gzip", POST + b"Transfer-Encoding: gzip\r\n\r\n" + CHUNKS, "501", haproxy="400", why=CODING),
    Case(
        "te-gzip-chunked",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        "400",
        nginx="501",
        haproxy="422",
        why=CODING,
    ),
    Case(
        "te-chunked-gzip", POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS, "400", nginx="501", why=CODING
    ),
    Case("te-unknown", POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS, "501", haproxy="400", why=CODING),
    Case("te-identity", POST + b"Transfer-Encoding: identity\r\n\r\n", "501", haproxy="400", why=CODING),
    Case("te-empty", POST + b"Transfer-Encoding:\r\n\r\n" + CHUNKS, "400", nginx="501", why=CODING),
    Case(
        "te-leading-comma",
        POST + b"Transfer-Encoding: ,chunked\r\n\r\n" + CHUNKS,
        "400",
        nginx="501",
        haproxy="422",
        why=CODING,
    ),
    Case(
        "te-trailing-comma",
        POST + b"Transfer-Encoding: chunked,\r\n\r\n" + CHUNKS,
        "400",
        nginx="501",
        haproxy="400 by the upstream keeps",
        why=CODING_ON,
    ),
    Case("te-parameter", POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + CHUNKS, "400", nginx="501", why=CODING),
    Case("te-quoted", POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS, "400", nginx="501", why=CODING),
    Case("te-case", POST + b"Transfer-Encoding: cHuNkEd\r\n\r\n" + CHUNKS, "200 keeps · POST /p [hello]"),
    Case(
        "te-tab",
        POST + b"Transfer-Encoding:\tchunked\t\r\n\r\n" + CHUNKS,
        "200 keeps · POST /p [hello]",
        nginx="501",
        why=OWS,
    ),
    Case("te-vertical-tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS, "400", nginx="501", why=CODING),
    Case("te-obs-text", POST + b"Transfer-Encoding: chunked\xa0\r\n\r\n" + CHUNKS, "400", nginx="501", why=CODING),
    Case(
        "te-folded",
        POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
        "400",
        haproxy="200 keeps · POST /p [hello]",
        why=FOLD,
    ),
    Case("te-space-before-colon", POST + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS, "400"),
    Case("te-bare-cr", POST + b"Transfer-Encoding: chunked\rX: y\r\n\r\n" + CHUNKS, "400"),
    Case(
        "te-underscore",
        POST + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        "200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p transfer_encoding=chunked [hello]",
        why=TWIN,
    ),
    Case(
        "te-on-1.0",
        POST_10 + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        "400",
        haproxy="200 · POST /p [hello]",
        why=OLD,
    ),
    Case(
        "te-named-by-connection",
        POST + b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        "200 keeps · POST /p [hello]",
    ),
    Case("te-on-get", GET + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, "200 keeps · GET /p [hello]"),
    Case(
        "cl-twice-same",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "400",
        haproxy="200 keeps · POST /p [hello]",
        why=SAME_CL,
    ),
    Case("cl-twice-other", POST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello", "400"),
    Case(
        "cl-list",
        POST + b"Content-Length: 5, 5\r\n\r\nhello",
        "400",
        haproxy="200 keeps · POST /p [hello]",
        why=SAME_CL,
    ),
    Case("cl-plus", POST + b"Content-Length: +5\r\n\r\nhello", "400"),
    Case("cl-minus", POST + b"Content-Length: -5\r\n\r\nhello", "400"),
    Case(
        "cl-leading-zeros",
        POST + b"Content-Length: 005\r\n\r\nhello",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=DIGITS,
    ),
    Case("cl-hex", POST + b"Content-Length: 0x5\r\n\r\nhello", "400"),
    Case("cl-underscore-digits", POST + b"Content-Length: 0_5\r\n\r\nhello", "400"),
    Case("cl-empty", POST + b"Content-Length:\r\n\r\nhello", "400"),
    Case("cl-space-inside", POST + b"Content-Length: 5 5\r\n\r\nhello", "400"),
    Case("cl-2-to-64", POST + b"Content-Length: 18446744073709551621\r\n\r\nhello", "400"),
    Case(
        "cl-18-nines",
        POST + b"Content-Length: 999999999999999999\r\n\r\nhello",
        "408 · POST /p [helloGET /probe HTTP/1.1\\r\\nHo… 56 bytes] cut",
        nginx="413",
        haproxy="504 · POST /p [helloGET /probe HTTP/1.1\\r\\nHo… 56 bytes] cut",
        why=LARGE,
    ),
    Case(
        "cl-folded",
        POST + b"Content-Length:\r\n 5\r\n\r\nhello",
        "400",
        haproxy="200 keeps · POST /p [hello]",
        why=FOLD,
    ),
    Case("cl-space-before-colon", POST + b"Content-Length : 5\r\n\r\nhello", "400"),
    Case("cl-tab", POST + b"Content-Length:\t5\t\r\n\r\nhello", "200 keeps · POST /p [hello]", nginx="400", why=OWS),
    Case(
        "cl-underscore-name",
        POST + b"Content_Length: 99\r\nContent-Length: 5\r\n\r\nhello",
        "200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p content_length=99 [hello]",
        why=TWIN,
    ),
    Case(
        "cl-named-by-connection",
        POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello",
        "200 keeps · POST /p [hello]",
    ),
    Case("cl-on-get", GET + b"Content-Length: 5\r\n\r\nhello", "200 keeps · GET /p [hello]"),
    Case("cl-0-on-get", GET + b"Content-Length: 0\r\n\r\n", "200 keeps · GET /p"),
    Case(
        "cl-short",
        POST + b"Content-Length: 500\r\n\r\nhello",
        "408 · POST /p [helloGET /probe HTTP/1.1\\r\\nHo… 56 bytes] cut",
        nginx="closed",
        haproxy="504 · POST /p [helloGET /probe HTTP/1.1\\r\\nHo… 56 bytes] cut",
        why=UNFINISHED,
    ),
    Case("cl-on-head", HEAD + b"Content-Length: 5\r\n\r\nhello", "200 keeps · HEAD /p [hello]"),
    Case("no-length", POST + b"\r\n", "200 keeps · POST /p"),
    Case(
        "no-length-body",
        POST + b"\r\nhello",
        "200 501 · POST /p",
        nginx="200 400 · POST /p",
        haproxy="200 keeps · POST /p",
        why=TOKEN,
    ),
    # Chunks.
    Case("chunks-two", CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "200 keeps · POST /p [hello]"),
    Case("chunk-upper-hex", CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", "200 keeps · POST /p [0123456789]"),
    Case("chunk-leading-zeros", CHUNKED + b"0005\r\nhello\r\n000\r\n\r\n", "200 keeps · POST /p [hello]"),
    Case(
        "chunk-many-zeros",
        CHUNKED + b"0" * 20 + b"5\r\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=ZEROS,
    ),
    Case("chunk-extension", CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", "200 keeps · POST /p [hello]"),
    Case("chunk-quoted-extension", CHUNKED + b'5;a="b;c"\r\nhello\r\n0\r\n\r\n', "200 keeps · POST /p [hello]"),
    Case("chunk-quoted-crlf-extension", CHUNKED + b'5;a="\r\nhello\r\n0\r\n\r\n', "200 keeps · POST /p [hello]"),
    Case(
        "chunk-bare-lf-extension",
        CHUNKED + b"5;\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=BARE_LF,
    ),
    Case("chunk-bare-cr-extension", CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n", "400"),
    Case(
        "chunk-nul-extension",
        CHUNKED + b"5;a\0\r\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=CONTROL,
    ),
    Case(
        "chunk-long-extension",
        CHUNKED + b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=EXTENSION,
    ),
    Case(
        "chunk-space-after",
        CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=CHUNK_SPACE,
    ),
    Case(
        "chunk-tab-after",
        CHUNKED + b"5\t\r\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=CHUNK_SPACE,
    ),
    Case("chunk-space-before", CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-plus", CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-minus", CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-0x", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-underscore", CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-word", CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-no-size", CHUNKED + b"\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-2-to-64", CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n", "400"),
    Case("chunk-2-to-63", CHUNKED + b"8000000000000000\r\nhello\r\n0\r\n\r\n", "400"),
    Case(
        "chunk-bare-lf",
        CHUNKED + b"5\nhello\n0\n\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=BARE_LF,
    ),
    Case(
        "chunk-bare-lf-size",
        CHUNKED + b"5\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=BARE_LF,
    ),
    Case(
        "chunk-bare-lf-data",
        CHUNKED + b"5\r\nhello\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=BARE_LF,
    ),
    Case(
        "chunk-bare-lf-end",
        CHUNKED + b"5\r\nhello\r\n0\n\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=BARE_LF,
    ),
    Case("chunk-bare-cr", CHUNKED + b"5\rhello\r0\r\r", "400"),
    Case("chunk-too-long", CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n", "400"),
    Case(
        "chunk-too-short",
        CHUNKED + b"6\r\nhello\r\n0\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello\\r]",
        haproxy="200 keeps · POST /p [hello\\r]",
        why=SHORT,
    ),
    Case("chunk-two-bytes-for-crlf", CHUNKED + b"5\r\nhelloXX0\r\n\r\n", "400"),
    Case("chunk-no-last", CHUNKED + b"5\r\nhello\r\n", "400"),
    Case("chunk-no-final-crlf", CHUNKED + b"5\r\nhello\r\n0\r\n", "400", nginx="200 · POST /p [hello]", why=NO_END),
    Case("trailer", CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "200 keeps · POST /p [hello]"),
    Case(
        "trailer-announced",
        POST + b"Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        "200 keeps · POST /p [hello]",
        nginx="200 keeps · POST /p trailer=X-T [hello]",
        haproxy="200 keeps · POST /p trailer=X-T [hello]",
        why=HOP,
    ),
    Case(
        "trailer-framing",
        CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n",
        "200 keeps · POST /p [hello]",
        haproxy="400",
        why=TRAILERS,
    ),
    Case(
        "trailer-no-colon",
        CHUNKED + b"5\r\nhello\r\n0\r\nX-T\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        why=TRAILER_GRAMMAR,
    ),
    Case(
        "trailer-bare-lf",
        CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="200 keeps · POST /p [hello]",
        why=BARE_LF,
    ),
    Case(
        "trailer-request",
        CHUNKED + b"5\r\nhello\r\n0\r\nGET /in HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        why=TRAILER_GRAMMAR,
    ),
    Case(
        "trailer-bad-name",
        CHUNKED + b"5\r\nhello\r\n0\r\nX T: 1\r\n\r\n",
        "400",
        nginx="200 keeps · POST /p [hello]",
        haproxy="400 by the upstream keeps or 400",
        why=TRAILER_GRAMMAR,
    ),
]

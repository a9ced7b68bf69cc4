"""F1-F4, F10: where a request's body ends (RFC 9112 section 6), refused or written anew, never guessed."""

from __future__ import annotations

import pytest

from tests.conformance.case import Case, parameters, run
from tests.conformance.router import Router

POST = b"POST /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
SEEN_CL = POST + b"Content-Length: 5\r\n\r\nhello"
SEEN_CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\nhello"
SEEN_EMPTY = POST + b"\r\n"


def refused(name: str, fields: bytes, saw: int | tuple[int, ...] = 400, body: bytes = b"hello") -> Case:
    """A POST whose framing is refused: error, close, and not one byte goes upstream."""
    return Case(name, "9112 6.3", POST + fields + b"\r\n" + body, saw=saw, closes=True)


CONFLICTS = [
    refused("F1-cl-and-te", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=CHUNKS),
    refused("F1-te-and-cl", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body=CHUNKS),
    refused("F1-te-and-cl-0", b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", body=CHUNKS),
    refused("F1-te-identity-and-cl", b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", (400, 501)),
    refused("F1-cl-twice-same", b"Content-Length: 5\r\nContent-Length: 5\r\n"),
    refused("F1-cl-twice-other", b"Content-Length: 5\r\nContent-Length: 6\r\n"),
    refused("F1-cl-twice-case", b"Content-Length: 5\r\ncontent-length: 5\r\n"),
    refused("F1-cl-twice-apart", b"Content-Length: 5\r\nX-A: 1\r\nContent-Length: 0\r\n"),
    refused("F1-cl-list", b"Content-Length: 5, 5\r\n"),
    refused("F1-te-twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body=CHUNKS),
    refused("F1-te-chunked-chunked", b"Transfer-Encoding: chunked, chunked\r\n", body=CHUNKS),
    refused("F1-te-gzip", b"Transfer-Encoding: gzip\r\n", 501),
    refused("F1-te-unknown", b"Transfer-Encoding: xchunked\r\n", 501, CHUNKS),
    # A known-final chunked under an unknown coding is `other than exactly chunked` and an unknown coding: both fit.
    refused("F1-te-gzip-chunked", b"Transfer-Encoding: gzip, chunked\r\n", (400, 501), CHUNKS),
    refused("F1-te-gzip-then-chunked", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", (400, 501)),
    refused("F1-te-chunked-gzip", b"Transfer-Encoding: chunked, gzip\r\n", (400, 501), CHUNKS),
    refused(
        "F1-te-chunked-then-identity", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", (400, 501)
    ),
    refused("F1-te-identity", b"Transfer-Encoding: identity\r\n", (400, 501)),
    refused("F1-te-empty", b"Transfer-Encoding:\r\n", (400, 501), CHUNKS),
    refused("F1-te-leading-comma", b"Transfer-Encoding: ,chunked\r\n", (400, 501), CHUNKS),
    refused("F1-te-trailing-comma", b"Transfer-Encoding: chunked,\r\n", (400, 501), CHUNKS),
    refused("F1-te-parameter", b"Transfer-Encoding: chunked;q=1\r\n", (400, 501), CHUNKS),
    refused("F1-te-quoted", b'Transfer-Encoding: "chunked"\r\n', (400, 501), CHUNKS),
    refused("F1-te-vertical-tab", b"Transfer-Encoding: \x0bchunked\r\n", (400, 501), CHUNKS),
    refused("F1-te-obs-text", b"Transfer-Encoding: chunked\xa0\r\n", (400, 501), CHUNKS),
    refused("F1-te-folded", b"Transfer-Encoding:\r\n chunked\r\n", 400, CHUNKS),
    refused("F1-te-space-before-colon", b"Transfer-Encoding : chunked\r\n", 400, CHUNKS),
    refused("F1-cl-space-before-colon", b"Content-Length : 5\r\n"),
    refused("F1-te-bare-cr", b"Transfer-Encoding: chunked\rX: y\r\n", 400, CHUNKS),
]

# F2: `0|[1-9][0-9]*`, at most 18 digits, before int() (which takes signs, underscores and other scripts' digits).
BAD_LENGTHS = {
    "zeros": b"003",
    "double-zero": b"00",
    "plus": b"+5",
    "minus": b"-5",
    "minus-zero": b"-0",
    "underscore": b"1_0",
    "hex": b"0x5",
    "fraction": b"5.0",
    "exponent": b"1e1",
    "space-inside": b"5 5",
    "empty": b"",
    "word": b"five",
    "arabic-digit": "٥".encode(),
    "vertical-tab": b"\x0b5",
    "form-feed": b"5\x0c",
    "semicolon": b"5;a",
    "quoted": b'"5"',
    "19-digits": b"1000000000000000005",
    "20-digits": b"18446744073709551621",
    "40-digits": b"1" * 40,
}
LENGTHS = [refused(f"F2-cl-{name}", b"Content-Length: %s\r\n" % text) for name, text in BAD_LENGTHS.items()]

VERSIONS = [
    Case("F3-te-on-1.0", "9112 6.1", POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
         saw=400, closes=True),
    Case("F3-te-cl-on-1.0", "9112 6.1",
         POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
         saw=400, closes=True),
    *(
        Case(f"F3-version-{version.decode()}", "9112 2.3", b"GET / HTTP/%s\r\nHost: h\r\n\r\n" % version,
             saw=505, closes=True)
        for version in (b"0.9", b"1.2", b"1.9", b"2.0", b"3.0", b"0.0")
    ),
    # Not of the form DIGIT.DIGIT: malformed (400) rather than an unsupported version, but either refuses it.
    *(
        Case(f"F3-malformed-version-{number}", "9112 2.3", b"GET / %s\r\nHost: h\r\n\r\n" % version,
             saw=(400, 505), closes=True)
        for number, version in enumerate(
            (b"HTTP/1.10", b"HTTP/11", b"HTTP/1.", b"HTTP/.1", b"HTTP/1", b"HTTP/1.1.1", b"HTTP/2", b"http/1.1",
             b"HTTP1.1", b"HTTP/+1.1", b"HTTP/1,1", b"HTTPS/1.1", b"XTTP/1.1", b"ICE/1.0", b"RTSP/1.0"))
    ),
    Case("F3-http2-preface", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", saw=505, closes=True),
    Case("F3-http09", "1945 4.1", b"GET /x\r\n\r\n", saw=400, closes=True),
    Case("F3-http09-only-line", "1945 4.1", b"GET /x\r\nHost: h\r\n\r\n", saw=400, closes=True),
]  # fmt: skip

REWRITTEN = [
    Case("F2-cl-ows", "9112 5", POST + b"Content-Length: \t 5 \t\r\n\r\nhello", seen=SEEN_CL),
    Case("F2-cl-0", "9112 6.2", POST + b"Content-Length: 0\r\n\r\n", seen=SEEN_EMPTY),
    Case("F4-cl", "9112 6.2", POST + b"Content-Length: 5\r\n\r\nhello", seen=SEEN_CL),
    Case("F4-cl-any-case", "9112 5", POST + b"cOnTeNt-LeNgTh:5\r\n\r\nhello", seen=SEEN_CL),
    Case("F4-chunked", "9112 7.1", POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, seen=SEEN_CHUNKED),
    Case("F4-chunked-tab", "9112 5", POST + b"Transfer-Encoding:\tchunked \r\n\r\n" + CHUNKS, seen=SEEN_CHUNKED),
    # Coding names are case-insensitive (9112 7); `exactly chunked` may also be read by the letter.
    Case("F4-chunked-case", "9112 7", POST + b"Transfer-Encoding: Chunked\r\n\r\n" + CHUNKS, seen=SEEN_CHUNKED,
         or_status=(400, 501)),
    Case("F4-chunked-empty", "9112 7.1", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         seen=(POST + b"Transfer-Encoding: chunked\r\n\r\n", SEEN_EMPTY)),
    Case("F4-connection-names-te", "9110 7.6.1",
         POST + b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, seen=SEEN_CHUNKED),
    Case("F4-connection-names-cl", "9110 7.6.1",
         POST + b"Connection: keep-alive, Content-Length\r\nContent-Length: 5\r\n\r\nhello", seen=SEEN_CL),
    Case("F4-underscore-te", "9112 6.1", POST + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
         seen=SEEN_CL, or_status=(400,)),
    Case("F4-underscore-cl", "9112 6.2", POST + b"Content_Length: 99\r\nContent-Length: 5\r\n\r\nhello",
         seen=SEEN_CL, or_status=(400,)),
    Case("F4-no-body", "9112 6.3", POST + b"\r\n", seen=SEEN_EMPTY),
    *(
        Case(f"F10-{method.decode().lower()}-{name}", "9110 9.3.1",
             POST.replace(b"POST", method) + framing + b"\r\n" + body,
             seen=POST.replace(b"POST", method) + framing + b"\r\nhello",
             answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if method == b"HEAD" else b"ok"),
             saw=b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n" + (b"" if method == b"HEAD" else b"ok"))
        for method in (b"GET", b"DELETE", b"OPTIONS", b"HEAD", b"PATCH", b"PROPFIND")
        for name, framing, body in (
            ("cl", b"Content-Length: 5\r\n", b"hello"),
            ("chunked", b"Transfer-Encoding: chunked\r\n", CHUNKS),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("case", "variant"), parameters(CONFLICTS + LENGTHS + VERSIONS + REWRITTEN))
def test_framing(case: Case, variant: str, router: Router) -> None:
    run(case, variant, router)


def test_cl_of_18_digits_is_taken_by_its_value(router: Router) -> None:
    """F2 at its edge: the head goes upstream, the body never ends, and the client's close ends it all (F9)."""
    router.stable.play(())
    length = b"9" * 18
    with router.connect() as client:
        client.send(POST + b"Content-Length: " + length + b"\r\n\r\nhello")
        upstream = router.stable.connection(0)
        upstream.wait(lambda: upstream.data.endswith(b"hello"), "the body's start")
    upstream.wait_ended()
    (request,) = upstream.requests()
    assert (request.complete, request.value(b"content-length")) == (False, length)

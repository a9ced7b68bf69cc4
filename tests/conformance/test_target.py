"""H1, H5: request line and Host (RFC 9112 sections 2 and 3): what is refused, and what goes on byte for byte."""

from __future__ import annotations

import pytest

from tests.conformance.case import SAW_OK, Case, check_error, parameters, run
from tests.conformance.router import Router

COOKIE = b"Cookie: cutover_id=0\r\n"
REST = b" HTTP/1.1\r\nHost: h\r\n" + COOKIE + b"\r\n"


def refused(name: str, rfc: str, send: bytes, saw: int | tuple[int, ...] = 400) -> Case:
    return Case(name, rfc, send, saw=saw, closes=True)


def hosts(name: str, fields: bytes, saw: int | tuple[int, ...] = 400) -> Case:
    return refused(f"H1-host-{name}", "9112 3.2", b"GET / HTTP/1.1\r\n" + fields + b"\r\n", saw)


HOSTS = [
    hosts("missing", b"Accept: */*\r\n"),
    hosts("missing-no-field", b""),
    hosts("twice-same", b"Host: h\r\nHost: h\r\n"),
    hosts("twice-other", b"Host: h\r\nhost: i\r\n"),
    hosts("space", b"Host: h i\r\n"),
    hosts("path", b"Host: h/p\r\n"),
    hosts("query", b"Host: h?q\r\n"),
    hosts("fragment", b"Host: h#f\r\n"),
    hosts("userinfo", b"Host: u@h\r\n"),
    hosts("port-word", b"Host: h:port\r\n"),
    hosts("port-minus", b"Host: h:-1\r\n"),
    hosts("two-ports", b"Host: h:1:2\r\n"),
    hosts("open-bracket", b"Host: [::1\r\n"),
    hosts("bracket-word", b"Host: [h]\r\n"),
    hosts("after-bracket", b"Host: [::1]x\r\n"),
    hosts("bare-v6", b"Host: ::1\r\n"),
    hosts("quote", b'Host: h"\r\n'),
    hosts("backslash", b"Host: h\\i\r\n"),
    hosts("brace", b"Host: {h}\r\n"),
    hosts("obs-text", b"Host: h\xe9\r\n"),
    hosts("nul", b"Host: h\0\r\n"),
    hosts("url", b"Host: http://h\r\n"),
    hosts("percent", b"Host: h%zz\r\n"),
]

LINES = [
    refused("H1-connect", "9110 9.3.6", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", 405),
    refused("H1-fragment", "9112 3.2", b"GET /p#f" + REST),
    refused("H1-fragment-absolute", "9112 3.2", b"GET http://h/p#f" + REST),
    refused("H1-star-get", "9112 3.2.4", b"GET *" + REST),
    refused("H1-star-post", "9112 3.2.4", b"POST *" + REST),
    refused("H1-star-path", "9112 3.2.4", b"OPTIONS *x" + REST),
    refused("H1-no-slash", "9112 3.2.1", b"GET p" + REST),
    refused("H1-authority-get", "9112 3.2.3", b"GET h:80" + REST),
    refused("H1-query-only", "9112 3.2.1", b"GET ?q" + REST),
    refused("H1-empty-target", "9112 3", b"GET  HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("H1-absolute-no-host", "9112 3.2.2", b"GET http:///p" + REST),
    refused("H1-absolute-userinfo", "9110 4.2.4", b"GET http://u:p@h/p" + REST),
    refused("H1-absolute-ftp", "9112 3.2.2", b"GET ftp://h/p" + REST),
    refused("H1-absolute-bad-port", "9112 3.2.2", b"GET http://h:x/p" + REST),
    refused("H1-absolute-still-needs-host", "9112 3.2.2", b"GET http://h/p HTTP/1.1\r\n\r\n"),
    refused("H1-absolute-two-hosts", "9112 3.2", b"GET http://h/p HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"),
    refused("line-two-spaces", "9112 3", b"GET  /  HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("line-tab", "9112 3", b"GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("line-trailing-space", "9112 3", b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
    refused("line-leading-space", "9112 3", b" GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("line-space-in-target", "9112 3.2", b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("line-nul", "9112 3.2", b"GET /a\0b" + REST),
    refused("line-del", "9112 3.2", b"GET /a\x7fb" + REST),
    # Not of a URI (3986 2) and refused by h11's reading of what we'd emit; obs-text is for field values only.
    refused("line-utf-8", "9112 3.2", b"GET /caf\xc3\xa9" + REST),
    refused("line-latin-1", "9112 3.2", b"GET /\xff" + REST),
    refused("line-bare-cr", "9112 2.2", b"GET /\rX HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("line-bare-lf", "9112 2.2", b"GET / HTTP/1.1\nHost: h\n\n"),
    refused("line-bare-lf-first", "9112 2.2", b"GET / HTTP/1.1\nHost: h\r\n\r\n"),
    refused("line-bare-lf-field", "9112 2.2", b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
    refused("line-bare-lf-end", "9112 2.2", b"GET / HTTP/1.1\r\nHost: h\r\n\n"),
    refused("line-cr-cr-lf", "9112 2.2", b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"),
    refused("line-not-http", "9112 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    # Found by tests/fuzz: which refusal it is may not depend on the segments, nor may the number of empty lines.
    refused("line-obs-text-before-other-version", "9112 3", b"\xa0GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
    refused("line-three-empty-lines-before", "9112 2.2", b"\r\n\r\n\r\nGET /" + REST),
    refused("line-method-only", "9112 3", b"GET\r\n\r\n"),
    refused("method-non-token", "9110 9.1", b"GE(T /" + REST),
    refused("method-quote", "9110 9.1", b'G"T /' + REST),
    refused("method-obs-text", "9110 9.1", b"G\xcbT /" + REST),
    refused("method-colon", "9110 9.1", b"Host: /" + REST),
    *(
        refused(f"method-unknown-{method.decode()}", "9110 9.1", method + b" /" + REST, 501)
        for method in (b"get", b"Get", b"post", b"FOO", b"GETX", b"G", b"X-GET", b"BREW", b"!")
    ),
    refused("H5-target-8193", "9110 15.5.15", b"GET /" + b"a" * 8192 + REST, 414),
    refused("H5-target-40000", "9110 15.5.15", b"GET /" + b"a" * 40000 + REST, 414),
    refused("H5-query-9000", "9110 15.5.15", b"GET /?" + b"a" * 9000 + REST, 414),
]

# Targets that go on byte for byte: nothing is decoded, merged, resolved or re-encoded.
TARGETS = [
    b"/", b"/p?q=1", b"/?", b"/p??", b"//p//q", b"/a/../b", b"/a/./b/", b"/%2e%2E/", b"/%00", b"/a%20b+c", b"/%zz",
    b"/;v=1", b"/@:80", b"/a:b", b"/~!$&'()*+,;=", b"/a%2Fb%5c", b"/?a=http://x/?y", b"/http://other/",
    b"/" + b"a" * 8191,
]  # fmt: skip
# Not allowed by RFC 3986 but sent by browsers: either goes on byte for byte, or is refused.
LOOSE_TARGETS = [b'/a"b', b"/a<b>", b"/a|b", b"/a\\b", b"/a^b`", b"/{a}", b"/?[a]"]
IANA = b"""ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR
MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT REBIND REPORT SEARCH
TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL PURGE""".split()


def forwarded(name: str, rfc: str, send: bytes, seen: bytes | tuple[bytes, ...], **more: tuple[int, ...]) -> Case:
    return Case(name, rfc, send, saw=SAW_OK, seen=seen, **more)  # type: ignore[arg-type]


def absolute(name: str, target: bytes, host: bytes, *paths: bytes, method: bytes = b"GET") -> Case:
    """9112 3.2.2: the authority replaces whatever Host said."""
    head = b" HTTP/1.1\r\nHost: "
    seen = tuple(method + b" " + path + head + host + b"\r\n" + COOKIE + b"\r\n" for path in paths)
    return forwarded(f"H1-absolute-{name}", "9112 3.2.2", method + b" " + target + REST, seen)


FORWARDED = [
    *(
        forwarded(f"path-{number}", "3986 3.3", b"GET " + target + REST, b"GET " + target + REST)
        for number, target in enumerate(TARGETS)
    ),
    *(
        forwarded(f"loose-path-{number}", "3986 2", b"GET " + target + REST, b"GET " + target + REST, or_status=(400,))
        for number, target in enumerate(LOOSE_TARGETS)
    ),
    *(
        forwarded(f"method-{method.decode()}", "9110 16.1", method + b" /m" + REST, method + b" /m" + REST)
        for method in IANA
    ),
    forwarded("H1-star-options", "9112 3.2.4", b"OPTIONS *" + REST, b"OPTIONS *" + REST),
    absolute("other-authority", b"http://other:81/p?q", b"other:81", b"/p?q"),
    absolute("no-path", b"http://other", b"other", b"/"),
    absolute("no-path-query", b"http://other?q", b"other", b"/?q"),
    absolute("upper-scheme", b"HTTP://other/p", b"other", b"/p"),
    absolute("v6", b"http://[::1]:81/p", b"[::1]:81", b"/p"),
    # 9112 3.2.4: the last proxy turns OPTIONS without path into `*`; a gateway that doesn't is accepted here.
    absolute("options-no-path", b"http://other", b"other", b"*", b"/", method=b"OPTIONS"),
    *(
        forwarded(f"H1-valid-host-{number}", "9112 3.2", b"GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (host, COOKIE),
                  b"GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (host, COOKIE))
        for number, host in enumerate((b"h", b"h:8080", b"127.0.0.1:80", b"[::1]", b"[2001:db8::1]:8080", b"a.b-c.d_e.",
                                       b"xn--caf-dma.example", b"H"))
    ),
    # An empty Host is well-formed (9110 7.2) but of no use to an origin-form request: either is right.
    forwarded("H1-empty-host", "9110 7.2", b"GET / HTTP/1.1\r\nHost:\r\n" + COOKIE + b"\r\n",
              b"GET / HTTP/1.1\r\nHost: \r\n" + COOKIE + b"\r\n", or_status=(400,)),
    forwarded("one-empty-line-before", "9112 2.2", b"\r\nGET /" + REST, b"GET /" + REST),
    forwarded("two-empty-lines-before", "9112 2.2", b"\r\n\r\nGET /" + REST, b"GET /" + REST),
]  # fmt: skip


@pytest.mark.parametrize(("case", "variant"), parameters(HOSTS + LINES + FORWARDED))
def test_request_line_and_host(case: Case, variant: str, router: Router) -> None:
    run(case, variant, router)


def test_H1_host_of_a_1_0_request_is_made_up(router: Router) -> None:
    """1.0 needs no Host, the 1.1 request that goes upstream does (9112 3.2)."""
    case = Case("", "9112 3.2", b"GET /p HTTP/1.0\r\n\r\n", closes=True)
    router.stable.play([])
    with router.connect() as client:
        client.send(case.send)
        router.stable.connection(0).wait(lambda: router.stable.connection(0).data.endswith(b"\r\n\r\n"), "the head")
    (request,) = router.stable.requests()
    assert request.line == b"GET /p HTTP/1.1"
    assert len(request.values(b"host")) == 1


@pytest.mark.parametrize("start", [b"GET /", b"GET /?", b"GET http://h/"])
def test_H5_endless_target_is_refused_before_its_end(router: Router, start: bytes) -> None:
    with router.connect() as client:
        client.send(start + b"a" * 40000)
        answer = client.answer()
        assert answer.status in (414, 431)
        check_error(answer)
        assert client.rest() == b""


def test_line_endless_method_is_refused_before_its_end(router: Router) -> None:
    with router.connect() as client:
        client.send(b"A" * 40000)
        answer = client.answer()
        assert answer.status in (400, 414, 431, 501)
        assert client.rest() == b""

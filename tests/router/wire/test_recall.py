"""A parser with a memory says what one without says, of any head, the first time and every other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RequestError
from router.wire.fields import HeadLimits
from router.wire.recall import RecallingParser
from router.wire.request import Request, RequestParser

LIMITS = HeadLimits(target=64, field=96, head=1024, fields=8)
RECALLING, FRESH = RecallingParser(LIMITS, (b"x-user",)), RequestParser(LIMITS, (b"x-user",))

LINES = [b"GET / HTTP/1.1", b"GET /a?b HTTP/1.1", b"GET /a HTTP/1.0", b"HEAD / HTTP/1.1", b"POST /a HTTP/1.1"]
LINES += [b"GET http://o/a HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET /%b HTTP/1.1" % (b"a" * 64), b"GET / HTTP/2.0"]
COOKIES = [b"Cookie: a=1", b"Cookie: a=2 \t", b"Cookie:  a=3", b"Cookie: ", b"Cookie: a\0", b"Cookie: a\rb"]
COOKIES += [b"cookie: b=1", b"Cookie:b=2", b"Cookie : b=3", b"cookie_: c", b"Cookie: \xe9"]
COOKIES += [b"Cookie: " + b"a" * size for size in (88, 89)]
FIELDS = [b"Host: h", b"Host: i", b"Accept: */*", b"X-User: u", b"x_user: v", b"Connection: close"]
FIELDS += [b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 3", b"Transfer-Encoding: chunked"]
FIELDS += [b"Expect: 100-continue", b"X-Request-Id: r", b"X-Forwarded-For: 192.0.2.1", b"bad name: x", b"X: a\nb"]
FIELDS += [b"Connection: cookie", b" folded"]

HEADS = st.tuples(
    st.sampled_from(LINES), st.lists(st.one_of(st.sampled_from(FIELDS), st.sampled_from(COOKIES)), max_size=10)
).map(lambda head: b"\r\n".join((head[0], b"Host: h", *head[1], b"", b"")))


def read(parser: RequestParser | RecallingParser, head: bytes) -> object:
    """Everything that the parser says of a head, for comparison."""
    try:
        request = parser.parse(head)
    except RequestError as error:
        return error.status, error.label, str(error)
    return {name: getattr(request, name) for name in Request.__slots__}


@given(HEADS)
@settings(max_examples=1000)
def test_memory_changes_nothing(head: bytes) -> None:
    expected = read(FRESH, head)
    assert read(RECALLING, head) == expected
    assert read(RECALLING, head) == expected


HEAD = b"GET /%b HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nCookie: %b\r\nX-User: u\r\n\r\n"


def test_target_and_cookie_are_not_remembered() -> None:
    parser = RecallingParser(LIMITS)
    first, second = parser.parse(HEAD % (b"a", b"x=1")), parser.parse(HEAD % (b"b?c", b"x=2"))
    assert (first.target, first.path, first.fields[b"cookie"]) == (b"/a", b"/a", [b"x=1"])
    assert (second.target, second.path, second.fields[b"cookie"]) == (b"/b?c", b"/b", [b"x=2"])
    assert second.block == b"\r\nHost: h\r\nAccept: */*\r\nCookie: x=2\r\nX-User: u"


def test_a_remembered_section_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = RecallingParser(LIMITS)
    parser.parse(HEAD % (b"a", b"x=1"))
    monkeypatch.setattr(RequestParser, "parse", None)
    assert parser.parse(HEAD % (b"b", b"x=2")).target == b"/b"


@pytest.mark.parametrize("second", [b"Cookie: b", b"cookie: b"])
def test_a_second_cookie_line_is_seen(second: bytes) -> None:
    """Whichever of the two the section was remembered with."""
    one = b"GET / HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n"
    for order in ([b"Cookie: a", second], [second, b"Cookie: a"]):
        parser = RecallingParser(LIMITS)
        for line in order:
            parser.parse(one % line)
        both = parser.parse(one % b"\r\n".join(order))
        assert both.fields[b"cookie"] == [line[8:] for line in order]


def test_many_sections_and_lines_are_no_growth() -> None:
    parser = RecallingParser(LIMITS)
    for number in range(3000):
        parser.parse(b"GET /%d HTTP/1.1\r\nHost: h\r\nX: %d\r\n\r\n" % (number, number))
    assert len(parser._lines) <= 1024
    assert len(parser._sections) <= 256

"""Bodies: payload without framing however the bytes arrive, and nothing that two readers could take differently."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.body import (
    CHUNK_LINE_MAX,
    EXTENSIONS_MAX,
    LAST_CHUNK,
    BodyError,
    BodyReader,
    ChunkedBody,
    LengthBody,
    UntilCloseBody,
    chunk,
)
from router.wire.fields import HeadLimits

LIMITS = HeadLimits(head=256, field=128, fields=3)


def feed(reader: BodyReader, pieces: Iterable[bytes]) -> tuple[bytes, bool, bytes]:
    """(payload, done, rest); what comes after the end is put behind the rest."""
    payload, rest = b"", b""
    for piece in pieces:
        if reader.done:
            rest += piece
        else:
            payload += reader.feed(piece)
    return payload, reader.done, reader.rest + rest


def octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def every_way(make: Callable[[], BodyReader], data: bytes) -> tuple[bytes, bool, bytes]:
    """Whole, at every byte, and cut once at each place: always the same."""
    whole = feed(make(), [data])
    assert feed(make(), octets(data)) == whole
    for at in range(1, len(data)):
        assert feed(make(), [data[:at], data[at:]]) == whole
    return whole


CHUNKED = [
    # id, RFC 9112, bytes, payload, rest
    ("empty", "7.1", b"0\r\n\r\n", b"", b""),
    ("one", "7.1", b"2\r\nab\r\n0\r\n\r\n", b"ab", b""),
    ("several", "7.1", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", b""),
    ("payload that looks like framing", "7.1", b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n", b""),
    ("hexadecimal", "7.1", b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    ("upper case", "7.1", b"0A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    ("leading zeros", "7.1", b"0002\r\nab\r\n000\r\n\r\n", b"ab", b""),
    ("extension", "7.1.1", b"2;a\r\nab\r\n0;b=c\r\n\r\n", b"ab", b""),
    ("quoted extension", "7.1.1", b'2;a="x;y"\r\nab\r\n0\r\n\r\n', b"ab", b""),
    ("space before an extension", "7.1.1", b"2 \t;a\r\nab\r\n0\r\n\r\n", b"ab", b""),
    ("trailers", "7.1.2", b"1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n", b"a", b""),
    ("a following request", "6.3", b"1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", b"a", b"GET / HTTP/1.1\r\n"),
    ("an empty line behind", "6.3", b"0\r\n\r\n\r\n", b"", b"\r\n"),
]

UNFINISHED = [b"", b"2", b"2\r", b"2\r\n", b"2\r\na", b"2\r\nab", b"2\r\nab\r", b"2\r\nab\r\n", b"0\r\n", b"0\r\n\r"]
UNFINISHED += [b"0\r\nX: y", b"0\r\nX: y\r\n", b"0\r\nX: y\r\n\r", b"2;a", b"2;a\r"]

BROKEN = [
    ("no size", "7.1", b"\r\n"),
    ("not hexadecimal", "7.1", b"g\r\n"),
    ("sign", "7.1", b"+1\r\na\r\n"),
    ("minus", "7.1", b"-1\r\n"),
    ("0x", "7.1", b"0x1\r\na\r\n"),
    ("underscore", "7.1", b"1_0\r\n"),
    ("space before", "7.1", b" 1\r\na\r\n"),
    ("space behind", "7.1.1", b"1 \r\na\r\n"),
    ("a size of 2^64", "7.1", b"10000000000000000\r\n"),
    ("bare LF", "2.2", b"1\na\r\n0\r\n\r\n"),
    ("bare CR", "2.2", b"1\ra\r\n"),
    ("bare LF behind an extension", "2.2", b"1;a\nb\r\n"),
    ("control character in an extension", "7.1.1", b"1;a\0\r\na\r\n"),
    ("longer than its size", "7.1", b"1\r\nab\r\n"),
    ("shorter than its size", "7.1", b"3\r\nab\r\n0\r\n\r\n"),
    ("no CRLF behind the payload", "7.1", b"1\r\na0\r\n\r\n"),
    ("LF behind the payload", "7.1", b"1\r\na\n0\r\n\r\n"),
    ("LF ends it", "7.1.2", b"0\r\n\n"),
    ("LF ends a trailer", "7.1.2", b"0\r\nX: y\n\r\n"),
    ("trailer without a colon", "7.1.2", b"0\r\nX\r\n\r\n"),
    ("folded trailer", "5.2", b"0\r\nX: y\r\n z\r\n\r\n"),
    ("too many trailers", "F6", b"0\r\n" + b"X: y\r\n" * (LIMITS.fields + 1) + b"\r\n"),
    ("a trailer too long", "F6", b"0\r\nX: " + b"y" * LIMITS.field + b"\r\n\r\n"),
    ("trailers too long", "F6", b"0\r\n" + (b"X: " + b"y" * 90 + b"\r\n") * 3 + b"\r\n"),
]


def chunked() -> ChunkedBody:
    return ChunkedBody(LIMITS)


@pytest.mark.parametrize(
    ("data", "payload", "rest"),
    [pytest.param(data, payload, rest, id=f"{rfc} {name}") for name, rfc, data, payload, rest in CHUNKED],
)
def test_chunked(data: bytes, payload: bytes, rest: bytes) -> None:
    assert every_way(chunked, data) == (payload, True, rest)


@pytest.mark.parametrize("data", UNFINISHED)
def test_unfinished_chunked(data: bytes) -> None:
    _, done, rest = every_way(chunked, data)
    assert (done, rest) == (False, b"")


@pytest.mark.parametrize("data", [pytest.param(data, id=f"{rfc} {name}") for name, rfc, data in BROKEN])
def test_broken_chunked(data: bytes) -> None:
    for pieces in ([data], octets(data)):
        with pytest.raises(BodyError):
            feed(chunked(), pieces)


def test_extensions_are_bounded_in_one_line() -> None:
    feed(chunked(), [b"1;" + b"a" * (CHUNK_LINE_MAX - 8) + b"\r\n"])
    for pieces in ([b"1;" + b"a" * CHUNK_LINE_MAX], octets(b"1;" + b"a" * CHUNK_LINE_MAX)):
        with pytest.raises(BodyError):
            feed(chunked(), pieces)


def test_extensions_are_bounded_in_all() -> None:
    """Otherwise a body of one byte costs any number of bytes (CVE-2023-39326)."""
    one = b"1;" + b"a" * 1000 + b"\r\nx\r\n"
    allowed = EXTENSIONS_MAX // 1001
    assert feed(chunked(), [one] * allowed) == (b"x" * allowed, False, b"")
    with pytest.raises(BodyError):
        feed(chunked(), [one] * (allowed + 1))


def test_endless_trailers_are_refused_before_their_end() -> None:
    with pytest.raises(BodyError):
        feed(chunked(), [b"0\r\n", *[b"X: y" * 20] * 10])


@pytest.mark.parametrize("length", [0, 1, 5])
def test_length(length: int) -> None:
    data = b"abcdefgh"
    assert every_way(lambda: LengthBody(length), data) == (data[:length], True, data[length:])


def test_unfinished_length() -> None:
    assert every_way(lambda: LengthBody(9), b"abcdefgh") == (b"abcdefgh", False, b"")


def test_until_close_never_ends_by_itself() -> None:
    """RFC 9112 6.3, rule 8."""
    assert every_way(UntilCloseBody, b"0\r\n\r\n") == (b"0\r\n\r\n", False, b"")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(1, 30), max_size=20))
def test_what_we_write_we_and_h11_read(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(chunk, pieces)) + LAST_CHUNK
    split = []
    for size in cuts:
        split.append(data[:size])
        data = data[size:]
    assert feed(chunked(), [*split, data]) == (b"".join(pieces), True, b"")
    assert h11_reads(b"".join(split) + data) == (b"".join(pieces), True, b"")


def h11_reads(data: bytes) -> tuple[bytes, bool, bytes]:
    """(payload, whether the end came, rest) of a chunked body as h11 sees it; raises `RemoteProtocolError`."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    assert isinstance(connection.next_event(), h11.Request)
    payload = b""
    while isinstance(event := connection.next_event(), h11.Data):
        payload += event.data
    done = isinstance(event, h11.EndOfMessage)
    return payload, done, connection.trailing_data[0] if done else b""


# What the grammar knows, and what it doesn't.
FRAGMENTS = b"0,1,2,a,ab,F,;,;x=y, ,\r\n,\r\n,\r\n,\n,\r,\0,T: v\r\n,0\r\n\r\n,1\r\nx\r\n,2\r\nab\r\n,0\r\nT: v\r\n\r\n"
PARTS = st.lists(st.sampled_from(FRAGMENTS.split(b",")), max_size=12).map(b"".join)


@given(PARTS)
def test_h11_agrees_on_what_we_accept(data: bytes) -> None:
    """h11 is more lenient (bare LF, for one), so only what we take is compared.

    One thing that we take it doesn't: spaces before a chunk extension, bad but to be parsed (RFC 9112 7.1.1, BWS).
    """
    try:
        payload, done, rest = feed(chunked(), [data])
    except BodyError:
        return
    try:
        seen = h11_reads(data)
    except h11.RemoteProtocolError:
        assert b" ;" in data
    else:
        assert seen == (payload, done, rest)


def test_spaces_before_a_chunk_extension() -> None:
    assert feed(chunked(), [b"0 ;\r\n\r\n"])[1]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_random_bytes_raise_nothing_else(data: bytes, size: int) -> None:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    try:
        feed(chunked(), pieces)
    except BodyError:
        pass


@given(PARTS, st.integers(1, 7))
def test_cuts_change_nothing(data: bytes, size: int) -> None:
    def outcome(pieces: list[bytes]) -> object:
        try:
            return feed(chunked(), pieces)
        except BodyError:
            return BodyError

    assert outcome([data]) == outcome([data[at : at + size] for at in range(0, len(data), size)])

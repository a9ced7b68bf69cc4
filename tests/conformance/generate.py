"""Hypothesis strategies for exchanges: valid messages in odd dress, each with the normal form it has to arrive in."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

TOKEN = b"!#$%&'*+-.^`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VISIBLE = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100))
TARGET = b"abcXYZ019-._~!$&'()*+,;=:@/%2"
OWS = st.sampled_from([b"", b" ", b"\t", b"  \t "])
METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD", b"PROPFIND"]
STATUSES = [200, 201, 204, 206, 301, 304, 400, 404, 500, 503]


@dataclass(frozen=True)
class Sent:
    """`wire` is what one side sends, `expected` the normal form in which the other has to see it."""

    wire: bytes
    expected: bytes
    ends: bool = False
    """The sender has to close behind it."""


@dataclass(frozen=True)
class Exchange:
    method: bytes
    request: Sent
    answer: Sent


def _bytes_of(alphabet: bytes, low: int, high: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(alphabet), min_size=low, max_size=high).map(bytes)


names = _bytes_of(TOKEN, 1, 12).map(lambda rest: b"Y-" + rest)
values = st.one_of(
    st.just(b""),
    _bytes_of(VISIBLE, 1, 30),
    st.tuples(_bytes_of(VISIBLE, 1, 5), st.sampled_from([b" ", b"\t", b"  "]), _bytes_of(VISIBLE, 1, 5)).map(b"".join),
    st.integers(100, 7000).map(lambda size: b"v" * size),
)
fields = st.lists(st.tuples(names, OWS, values, OWS), max_size=8)
bodies = st.one_of(
    st.binary(max_size=40), st.integers(1, 70_000).map(lambda size: b"b" * size), st.just(b"GET / HTTP/1.1\r\n\r\n")
)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` in chunks of any size, with extensions and trailers; few pieces, so that large bodies stay cheap."""
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True) if start < end]
    extension = st.sampled_from([b"", b";a", b";a=b", b';a="b c"'])
    size = st.sampled_from([b"%x", b"%X"])
    framed = b"".join(draw(size) % len(piece) + draw(extension) + b"\r\n" + piece + b"\r\n" for piece in pieces)
    trailers = draw(st.sampled_from([b"", b"", b"Y-Trailer: 1\r\n", b"Content-Length: 3\r\nHost: t\r\n"]))
    return framed + b"0" + draw(extension) + b"\r\n" + trailers + b"\r\n"


@st.composite
def requests(draw: st.DrawFn, method: bytes) -> Sent:
    target = b"/" + draw(_bytes_of(TARGET, 0, 40)) + draw(st.sampled_from([b"", b"?", b"?q=1&r=%20"]))
    own = draw(fields)
    kept = [(name, value) for name, _, value, _ in own]
    lines = [name + b":" + before + value + after for name, before, value, after in own]
    framing, tail, body = draw(_framings(draw(bodies), None))
    hop = draw(
        st.sampled_from([[], [b"Connection: keep-alive"], [b"TE: trailers", b"Connection: te, y-hop", b"y-hop: 1"]])
    )
    order = draw(st.permutations([b"H", b"F", *(b"O" for _ in hop)]))
    # Random places for the fields that the router treats itself; those that it keeps stay in their order.
    head, rest = ([b"Host: h"], []) if order.index(b"H") == 0 else ([], [b"Host: h"])
    placed = [*head, *hop, *lines, *rest, *framing] if order[-1] == b"F" else [*framing, *head, *lines, *rest, *hop]
    expected = [(b"Host", b"h"), *kept] if head else [*kept, (b"Host", b"h")]
    line = method + b" " + target + b" HTTP/1.1"
    wire = b"\r\n".join([line, *placed, b"", b""]) + tail
    return Sent(wire, _normal(line, expected, _expected_framing(framing), body))


@st.composite
def _framings(draw: st.DrawFn, body: bytes, allow_end: bool | None) -> tuple[list[bytes], bytes, bytes]:
    """Framing fields, the bytes after the head, the body that they mean."""
    kind = draw(st.sampled_from(["none", "length", "chunked"] if allow_end is None else ["length", "chunked", "end"]))
    if kind == "none":
        return [], b"", b""
    if kind == "length":
        return [b"content-Length: %d" % len(body)], body, body
    if kind == "chunked":
        return [b"Transfer-encoding:chunked"], draw(chunked(body)), body
    return [], body, body


def _expected_framing(framing: list[bytes]) -> bytes:
    if not framing or framing == [b"content-Length: 0"]:
        return b""
    if b"chunked" in framing[0]:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length" + framing[0][len(b"Content-Length") :] + b"\r\n"


@st.composite
def answers(draw: st.DrawFn, method: bytes) -> Sent:
    status = draw(st.sampled_from(STATUSES))
    own = draw(fields)
    kept = [(name, value) for name, _, value, _ in own]
    lines = [name + b":" + before + value + after for name, before, value, after in own]
    interim = draw(st.sampled_from([b"", b"", b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"]))
    reason = draw(st.sampled_from([b"OK", b"", b"Not \xe9ll"]))
    start = b"HTTP/1.1 %d " % status + reason
    expected = b"HTTP/1.1 %d" % status
    if method == b"HEAD" or status in (204, 304):
        framing = [] if status == 204 else draw(st.sampled_from([[], [b"Content-Length: 7"]]))
        wire = interim + b"\r\n".join([start, *framing, *lines, b"", b""])
        return Sent(wire, _normal(expected, kept, framing[0] + b"\r\n" if framing else b"", b""))
    framing, tail, body = draw(_framings(draw(bodies), True))
    wire = interim + b"\r\n".join([start, *lines, *framing, b"", b""]) + tail
    told = (
        b"Content-Length: %d\r\n" % len(body)
        if framing and b"ength" in framing[0]
        else b"Transfer-Encoding: chunked\r\n"
    )
    return Sent(wire, _normal(expected, kept, told, body), ends=not framing)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    method = draw(st.sampled_from(METHODS))
    return Exchange(method, draw(requests(method)), draw(answers(method)))


def _normal(line: bytes, kept: list[tuple[bytes, bytes]], framing: bytes, body: bytes) -> bytes:
    return line + b"\r\n" + b"".join(b"%s: %s\r\n" % item for item in kept) + framing + b"\r\n" + body


def cuts(data: bytes, places: list[float]) -> list[bytes]:
    """`data` in pieces, cut at these shares of its length."""
    at = sorted({int(place * len(data)) for place in places} - {0})
    return [piece for start, end in zip([0, *at], [*at, len(data)], strict=True) if (piece := data[start:end])]


segments = st.lists(st.floats(0, 1, exclude_max=True), max_size=6)

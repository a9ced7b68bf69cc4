"""An answer's head: bytes from an upstream → `Response`, or an `AnswerError` that says what it broke.

An upstream is trusted with content, not with framing: what can't be framed beyond doubt never reaches a client.
"""

from __future__ import annotations

import re

from .fields import (
    HOP_BY_HOP,
    FieldError,
    HeadLimits,
    content_length,
    named_by_connection,
    options,
    split_fields,
    value_of,
)

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")

#: `Response.body` beyond lengths.
CHUNKED, UNTIL_CLOSE = -1, -2

_OURS = frozenset((b"x-cutover-arm", b"x-request-id"))
_TAKEN = HOP_BY_HOP | _OURS | {b"content-length"}
_SEEN = frozenset((b"connection", b"upgrade", b"content-length", b"transfer-encoding", b"content-type", b"keep-alive"))


class AnswerError(ValueError):
    """The upstream's answer breaks HTTP/1.1 or a limit; it can't be forwarded."""


class Response:
    """What an answer's head means. `body` is a length, `CHUNKED` or `UNTIL_CLOSE`."""

    __slots__ = ("bodiless", "body", "framing", "head", "keep_alive", "status", "streams", "upgrades")

    status: int
    head: bytes  # status line and the fields that go on, each ended by CRLF; no framing
    framing: bytes  # the framing line for a 1.1 client: Content-Length, chunked, or nothing
    body: int
    bodiless: bool  # no body goes to the client, whatever the upstream sends
    keep_alive: bool  # the upstream will take another request
    upgrades: bool  # 101 to websocket
    streams: bool  # an event stream: silence is normal


def parse_response(head: bytes, is_head: bool, limits: HeadLimits) -> Response:
    """Whole head with its empty line, and whether it answers a HEAD → `Response`."""
    if len(head) > limits.head:
        raise AnswerError(f"answer head longer than {limits.head} bytes")
    end = head.index(b"\r\n")
    line = _LINE.fullmatch(head, 0, end)
    if line is None:
        raise AnswerError("malformed status line")
    try:
        return _read(int(line[2]), line[1] == b"1", line[3] or b"", split_fields(head[end + 2 : -2], limits), is_head)
    except FieldError as error:
        raise AnswerError(str(error)) from None


def _read(status: int, modern: bool, reason: bytes, lines: list[tuple[bytes, bytes]], is_head: bool) -> Response:
    fields: dict[bytes, list[bytes]] = {}
    kept = []
    for name, line in lines:
        if name in _SEEN:
            fields.setdefault(name, []).append(value_of(line))
        if name not in _TAKEN:
            kept.append((name, line))
    connection = options(fields.get(b"connection", []))
    if connection:
        dropped = named_by_connection(connection)
        kept = [(name, line) for name, line in kept if name not in dropped]
    response = Response()
    response.status = status
    response.head = b"\r\n".join([b"HTTP/1.1 %d %b" % (status, reason), *[line for _, line in kept], b""])
    response.upgrades = (
        status == 101 and b"upgrade" in connection and options(fields.get(b"upgrade", [])) == [b"websocket"]
    )
    response.keep_alive = b"close" not in connection and (modern or b"keep-alive" in connection)
    response.streams = b"text/event-stream" in fields.get(b"content-type", [b""])[0].lower()
    _frame(response, fields, modern, is_head)
    return response


def _frame(response: Response, fields: dict[bytes, list[bytes]], modern: bool, is_head: bool) -> None:
    """RFC 9112 6.3 for answers; F7 and F8 of the router's rules."""
    length = content_length(fields.get(b"content-length", []))
    codings = fields.get(b"transfer-encoding")
    if codings is not None and (
        length is not None or not modern or [coding.lower() for coding in codings] != [b"chunked"]
    ):
        raise AnswerError("Transfer-Encoding together with Content-Length, in HTTP/1.0, or not just chunked")
    status = response.status
    response.bodiless = is_head or status < 200 or status in (204, 205, 304)
    response.framing = b""
    if status < 200 or status == 204:
        response.body = 0
    elif is_head or status == 304:
        response.body = 0
        if length is not None:
            response.framing = b"Content-Length: %d\r\n" % length
    elif codings is not None:
        response.body = CHUNKED
        response.framing = b"Transfer-Encoding: chunked\r\n"
    elif length is not None:
        response.body = length
        response.framing = b"Content-Length: %d\r\n" % length
    else:
        response.body = 0 if status == 205 else UNTIL_CLOSE
        response.framing = b"Transfer-Encoding: chunked\r\n"
        response.keep_alive = False
    if status == 205:
        response.framing = b"Content-Length: 0\r\n"

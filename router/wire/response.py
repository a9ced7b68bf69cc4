"""An answer's head: bytes from an upstream → `Response`, or an `AnswerError` that says what it broke.

An upstream is trusted with content, not with framing: what can't be framed beyond doubt never reaches a client.
"""

from __future__ import annotations

import re
from typing import Final

from .fields import (
    HOP_BY_HOP,
    FieldError,
    FieldScanner,
    HeadLimits,
    content_length,
    cut,
    cut_named,
    named_by_connection,
    options,
)

_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")

#: `Response.body` beyond lengths.
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

_READ: Final = frozenset(
    (b"connection", b"upgrade", b"content-length", b"transfer-encoding", b"content-type", b"keep-alive")
)
_OURS: Final = frozenset((b"x-cutover-arm", b"x-request-id"))
#: Fields that go on although the router reads them.
_KEPT: Final = frozenset((b"content-type",))
_NO_VALUES: Final[list[bytes]] = []


class AnswerError(ValueError):
    """The upstream's answer breaks HTTP/1.1 or a limit; it can't be forwarded."""


class Response:
    """What an answer's head means. `body` is a length, `CHUNKED` or `UNTIL_CLOSE`."""

    __slots__ = ("bodiless", "body", "framing", "head", "keep_alive", "start", "status", "streams", "upgrades")

    status: int
    head: bytes  # status line and the fields that go on, each ended by CRLF; no framing
    framing: bytes  # the framing line for a 1.1 client: Content-Length, chunked, or nothing
    start: bytes  # `head` and `framing` for a 1.1 client that stays
    body: int
    bodiless: bool  # no body goes to the client, whatever the upstream sends
    keep_alive: bool  # the upstream will take another request
    upgrades: bool  # 101 to websocket
    streams: bool  # an event stream: silence is normal


class ResponseParser:
    """Parses heads under `limits`."""

    __slots__ = ("_limits", "_scanner")

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._scanner = FieldScanner(limits, HOP_BY_HOP | _READ | _OURS)

    def parse(self, head: bytes, is_head: bool) -> Response:
        """Whole head with its empty line, and whether it answers a HEAD → `Response`."""
        if len(head) > self._limits.head:
            raise AnswerError(f"head longer than {self._limits.head} bytes")
        start = head.index(b"\r\n")
        line = _LINE.fullmatch(head, 0, start)
        if line is None:
            raise AnswerError("malformed status line")
        try:
            response = _understand(line, self._scanner.scan(head, start, len(head) - 4), is_head)
        except FieldError as error:
            raise AnswerError(str(error)) from None
        response.start = response.head + response.framing
        return response


def _understand(line: re.Match[bytes], special: list[re.Match[bytes]], is_head: bool) -> Response:
    fields: dict[bytes, list[bytes]] = {}
    gone = []
    for match in special:
        name = match[1].lower()
        if name in _READ:
            fields.setdefault(name, []).append(match[2].rstrip(b" \t"))
        if name not in _KEPT and b"_" not in name:
            gone.append(match)
    head = line.string
    block = cut(head, line.end(), len(head) - 4, gone)
    connection = options(fields.get(b"connection", _NO_VALUES))
    if connection and (named := named_by_connection(connection)):
        block = cut_named(block, named)
    modern = line[1] == b"1"
    response = Response()
    response.status = status = int(line[2])
    response.head = b"HTTP/1.1 %b %b%b\r\n" % (line[2], line[3] or b"", block)
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

"""Request heads of one client connection: found in the bytes, parsed, prepared for the upstream, given an arm.

A connection often sends the same head again (a page that polls, a client library's pool), so the last one is kept with
everything that follows from it alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..errors import RequestError
from ..split import CANARY, IDENTITY, NEW, NO_RULE, STABLE, Rule
from ..wire.forwarded import forwarded_lines
from ..wire.request import Request, parse_line

if TYPE_CHECKING:
    from ..split import Split
    from .core import Core

#: Heads no longer than this are remembered, one a connection.
_REMEMBER_BYTES: Final = 4 * 1024
#: Empty lines tolerated before a request line (RFC 9112 2.2).
_EMPTY_LINES: Final = 2

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_TOKEN_BYTE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")


class Heads:
    """Reads heads; after `find` the attributes describe the one that was found, after `decide` also its arm."""

    __slots__ = (
        "_core",
        "_end",
        "_forwarded",
        "_forwarded_host",
        "_identity",
        "_peer",
        "_scheme",
        "_trusted",
        "arm",
        "by",
        "counted",
        "first_byte",
        "last",
        "place",
        "prefix",
        "request",
        "rule",
        "skipped",
        "split",
    )

    request: Request

    def __init__(self, core: Core, scheme: bytes, peer: str, trusted: bool) -> None:
        self._core = core
        self._scheme = scheme
        self._peer = peer
        self._trusted = trusted
        self._identity = b""
        self._end = 0
        self._forwarded = b""
        self._forwarded_host: bytes | None = None
        self.last = b""  # the bytes that the attributes were made from, or empty
        self.prefix = b""  # the upstream's head up to the request id
        self.split: Split | None = None
        self.rule: Rule = NO_RULE
        self.arm = STABLE
        self.by = IDENTITY
        self.place = 0
        self.first_byte = 0.0
        self.counted = -1  # minute in which this user was last counted as active
        self.skipped = 0  # empty lines since the last head; its user sets it back

    def find(self, data: bytes) -> tuple[int, bytes]:
        """Parse the head that `data` begins with: (its end, data less empty lines before it), or (0, ...) when more
        bytes are needed. Raises `RequestError` as soon as no further byte can mend what came."""
        if self.last and data.startswith(self.last):
            return len(self.last), data
        while data[:2] == b"\r\n" and self.skipped < _EMPTY_LINES:
            self.skipped += 1
            data = data[2:]
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            self._check_part(data)
            return 0, data
        self._parse(data[:end])
        return end, data

    def _check_part(self, data: bytes) -> None:
        limits = self._core.limits
        if data and data != b"\r" and _TOKEN_BYTE.match(data) is None:
            raise RequestError("malformed request line")
        line_end = data.find(b"\r\n")
        if line_end < 0 and len(data) > limits.target + 64:
            raise RequestError(f"request target longer than {limits.target} bytes", 414, "too_large")
        if _BARE_LF.search(data):
            raise RequestError("line ended by a bare LF")
        if line_end >= 0:
            parse_line(data[:line_end], limits)
            if len(data) - data.rfind(b"\r\n") > limits.field + 4:
                raise RequestError(f"header field longer than {limits.field} bytes", 431, "too_large")
        if len(data) > limits.head:
            raise RequestError(f"request head longer than {limits.head} bytes", 431, "too_large")

    def _parse(self, head: bytes) -> None:
        core = self._core
        self.last = b""
        self.split = None
        self.counted = -1
        if len(head) > core.limits.head:
            parse_line(head[: head.index(b"\r\n")], core.limits)
            raise RequestError(f"request head longer than {core.limits.head} bytes", 431, "too_large")
        self.request = request = core.requests.parse(head)
        self._identity = core.identifier.identify(request.fields)
        self.prefix = self._upstream_head(request)
        if len(head) <= _REMEMBER_BYTES:
            self.last = head

    def _upstream_head(self, request: Request) -> bytes:
        extra = b"\r\n"
        if request.body < 0:
            extra = b"\r\nTransfer-Encoding: chunked\r\n"
        elif request.body or b"content-length" in request.fields:
            extra = b"\r\nContent-Length: %d\r\n" % request.body
        if not request.host:
            extra += b"Host: " + self._core.default_host + b"\r\n"
        if request.expects_continue:
            extra += b"Expect: 100-continue\r\n"
        if request.upgrades:
            extra += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        forwarded = self._forwarded_lines(request)
        return b"".join((request.method, b" ", request.target, b" HTTP/1.1", request.block, extra, forwarded))

    def _forwarded_lines(self, request: Request) -> bytes:
        """Who the client is, and the beginning of the request id's line; the same as long as the host is."""
        if self._trusted or request.host != self._forwarded_host:
            self._forwarded = (
                forwarded_lines(self._peer, self._scheme, request.host, request.fields, self._trusted)
                + b"X-Request-Id: "
            )
            self._forwarded_host = request.host
        return self._forwarded

    def decide(self, split: Split) -> None:
        """Settle what this head and `split` settle of the arm; for a new user (`by` is NEW) `draw` does the rest."""
        request = self.request
        self.split = split
        self.rule = rule = split.rule(request.method, request.path)
        self.first_byte = rule.first_byte or self._core.first_byte
        self._end = split.end(rule)
        self.place = split.place(self._identity) if self._identity else 0
        fixed = split.fixed(rule, request.fields)
        if fixed is not None:
            self.arm, self.by = fixed
        elif self._identity:
            self.arm, self.by = CANARY if self.place < self._end else STABLE, IDENTITY
        else:
            self.by = NEW

    @property
    def is_known(self) -> bool:
        """Whether the request came with an identity."""
        return self._identity != b""

    def draw(self, split: Split) -> bytes:
        """Give a user without identity a new one, and the arm that follows from it; returns the Set-Cookie line."""
        identity = self._core.random_id()
        if self.by == NEW:
            self.arm = CANARY if split.place(identity) < self._end else STABLE
        return self._core.cookie(identity, self._scheme)

"""A request head: bytes → `Request`, or a `RequestError` that names the rule it breaks.

Stricter than RFC 9112 where two readers could disagree on where a message ends: whatever this module lets through
means the same to every upstream. A `Request` is a function of the bytes alone, so callers may remember it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ..errors import RequestError
from .fields import (
    HOP_BY_HOP,
    TOKEN,
    FieldError,
    FieldScanner,
    HeadLimits,
    content_length,
    cut,
    cut_named,
    named_by_connection,
    options,
)

#: The IANA method registry (CONNECT aside) and PURGE, which caches behind us understand.
METHODS: Final = frozenset(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR "
    b"MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND "
    b"REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)
#: RFC 9110 9.2.2; only methods whose repeat no user can notice.
IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

# Target: any visible ASCII character but "#" (RFC 9112 3.2, RFC 3986 2).
_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])")
_VERSION: Final = re.compile(rb" HTTP/[0-9]+(?:\.[0-9]+)?\Z")
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)
# reg-name, IPv4 or bracketed IPv6 with an optional port; no userinfo (RFC 9110 4.2.4).
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?")
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")

_FORWARDED: Final = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"))
_READ: Final = HOP_BY_HOP | _FORWARDED | {b"host", b"content-length", b"expect", b"x-request-id", b"cookie"}
#: Fields that go on although the router reads them.
_KEPT: Final = frozenset((b"host", b"cookie"))
_INTERNAL: Final = b"x-cutover-*"


class Request:
    """What a request head means. `body` is its length, -1 when chunked, 0 when there is none."""

    __slots__ = (
        "block",
        "body",
        "expects_continue",
        "fields",
        "host",
        "idempotent",
        "is_head",
        "keep_alive",
        "method",
        "minor",
        "path",
        "request_id",
        "target",
        "upgrades",
    )

    method: bytes
    target: bytes  # origin-form or "*", as sent upstream
    path: bytes  # target without its query
    minor: int  # HTTP/1.minor
    host: bytes
    block: bytes  # field lines that go on, in order, each preceded by its CRLF
    fields: dict[bytes, list[bytes]]  # values of the fields that this proxy looks at, by lower-case name
    body: int
    keep_alive: bool
    expects_continue: bool
    upgrades: bool  # a WebSocket handshake
    idempotent: bool
    is_head: bool
    request_id: bytes  # the client's own, b"" without a usable one


def parse_line(line: bytes, limits: HeadLimits) -> tuple[bytes, bytes, int]:
    """Request line without CRLF → (method, target, minor version)."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise _diagnose(line)
    method, target, minor = match.groups()
    if len(target) > limits.target:
        raise RequestError(f"request target longer than {limits.target} bytes", 414, "too_large")
    if method not in METHODS:
        if method == b"CONNECT":
            raise RequestError("CONNECT is not served here", 405, "unsupported")
        raise RequestError("unknown method", 501, "unsupported")
    return method, target, minor[0] - 48


def _diagnose(line: bytes) -> RequestError:
    if TOKEN.match(line) and (version := _VERSION.search(line)):
        if version[0] not in (b" HTTP/1.0", b" HTTP/1.1"):
            return RequestError("only HTTP/1.0 and HTTP/1.1 are served here", 505, "unsupported")
        if b"#" in line:
            return RequestError("request target with a fragment")
        if line.startswith(b"CONNECT "):
            return RequestError("CONNECT is not served here", 405, "unsupported")
    return RequestError("malformed request line")


class RequestParser:
    """Parses heads under `limits`; `seen` names further fields (lower-case) that `Request.fields` shall hold."""

    __slots__ = ("_hosts", "_kept", "_limits", "_scanner")

    def __init__(self, limits: HeadLimits, seen: Collection[bytes] = ()) -> None:
        self._limits = limits
        self._kept = _KEPT | frozenset(seen)
        self._scanner = FieldScanner(limits, {*_READ, *seen, _INTERNAL})
        self._hosts: set[bytes] = set()

    def parse(self, head: bytes) -> Request:
        """Whole head, with the empty line that ends it → `Request`."""
        end = head.index(b"\r\n")
        request = Request()
        method, target, minor = parse_line(head[:end], self._limits)
        request.method = method
        request.minor = minor
        request.idempotent = method in IDEMPOTENT
        request.is_head = method == b"HEAD"
        try:
            self._read_fields(request, head, end)
            _frame(request, minor)
        except FieldError as error:
            if error.too_large:
                raise RequestError(str(error), 431, "too_large") from None
            raise RequestError(str(error)) from None
        self._place(request, target)
        _persist(request)
        return request

    def _read_fields(self, request: Request, head: bytes, start: int) -> None:
        end = len(head) - 4
        kept = self._kept
        fields: dict[bytes, list[bytes]] = {}
        gone = []
        for match in self._scanner.scan(head, start, end):
            name, value = match.groups()
            name = name.lower()
            if name not in kept:
                gone.append(match)
            value = value.rstrip(b" \t")
            if name in fields:
                fields[name].append(value)
            else:
                fields[name] = [value]
        request.fields = fields
        request.block = cut(head, start, end, gone)
        connection = fields.get(b"connection")
        if connection is not None and (len(connection) > 1 or connection[0].lower() not in _PLAIN_CONNECTION):
            named = named_by_connection(options(connection))
            if named:
                request.block = cut_named(request.block, named)

    def _place(self, request: Request, target: bytes) -> None:
        """The target in origin-form and the one Host (RFC 9112 3.2, 3.3)."""
        hosts = request.fields.get(b"host", _NO_VALUES)
        if len(hosts) > 1:
            raise RequestError("more than one Host")
        if hosts:
            request.host = host = hosts[0]
            if host not in self._hosts:
                self._check_host(host)
        elif request.minor == 1:
            raise RequestError("HTTP/1.1 request without Host")
        else:
            request.host = b""
        if target[:1] != b"/":
            target = _normalise(request, target)
        request.target = target
        request.path = target.partition(b"?")[0]

    def _check_host(self, host: bytes) -> None:
        if not valid_host(host):
            raise RequestError("malformed Host")
        if len(self._hosts) >= _HOSTS_MAX:
            self._hosts.clear()
        self._hosts.add(host)


_HOSTS_MAX: Final = 256
_NO_VALUES: Final[list[bytes]] = []
_PLAIN_CONNECTION: Final = frozenset((b"keep-alive", b"close", b"upgrade"))


def _frame(request: Request, minor: int) -> None:
    """RFC 9112 6.3, with every case that it leaves to the reader refused."""
    fields = request.fields
    codings = fields.get(b"transfer-encoding")
    length = content_length(fields[b"content-length"]) if b"content-length" in fields else None
    if codings is None:
        request.body = length or 0
        return
    if length is not None:
        raise RequestError("both Content-Length and Transfer-Encoding")
    if minor == 0:
        raise RequestError("Transfer-Encoding in an HTTP/1.0 request")
    if len(codings) > 1:
        raise RequestError("more than one Transfer-Encoding")
    if codings[0].lower() != b"chunked":
        if TOKEN.fullmatch(codings[0]):
            raise RequestError("unknown transfer coding", 501, "unsupported")
        raise RequestError("Transfer-Encoding other than chunked")
    request.body = -1


def _normalise(request: Request, target: bytes) -> bytes:
    if target == b"*":
        if request.method != b"OPTIONS":
            raise RequestError("target * is for OPTIONS only")
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not absolute[1] or not valid_host(absolute[1]):
        raise RequestError("request target is neither a path nor a valid http URL")
    request.host = absolute[1]
    request.block = b"\r\nHost: " + absolute[1] + cut_named(request.block, (b"host",))
    rest = absolute[2]
    if not rest:
        return b"*" if request.method == b"OPTIONS" else b"/"
    return rest if rest[:1] == b"/" else b"/" + rest


def valid_host(host: bytes) -> bool:
    """RFC 9110 7.2: uri-host with an optional port; empty only for targets without authority, so refused."""
    return _HOST.fullmatch(host) is not None


def _persist(request: Request) -> None:
    """Connection, Upgrade and Expect: what this hop must do besides forwarding."""
    fields = request.fields
    request.keep_alive = request.minor == 1
    request.upgrades = request.expects_continue = False
    if b"connection" in fields:
        connection = options(fields[b"connection"])
        request.keep_alive = b"close" not in connection and (request.minor == 1 or b"keep-alive" in connection)
        request.upgrades = b"upgrade" in connection and _is_websocket(request)
    expect = fields.get(b"expect")
    if expect is not None and request.minor == 1:
        if [value.lower() for value in expect] != [b"100-continue"]:
            raise RequestError("only Expect: 100-continue is understood", 417, "expectation")
        request.expects_continue = request.body != 0
    ids = fields.get(b"x-request-id", _NO_VALUES)
    request.request_id = ids[0] if len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0]) else b""


def _is_websocket(request: Request) -> bool:
    """RFC 6455 4.1, as far as it concerns an intermediary."""
    return (
        options(request.fields.get(b"upgrade", [])) == [b"websocket"]
        and request.method == b"GET"
        and request.minor == 1
        and request.body == 0
    )

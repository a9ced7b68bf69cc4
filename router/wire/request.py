"""A request head: bytes → `Request`, or a `RequestError` that names the rule it breaks.

Stricter than RFC 9112 where two readers could disagree on where a message ends: whatever this module lets through
means the same to every upstream. `parse_request` is a function of its bytes alone, so callers may remember results.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..errors import RequestError
from .fields import (
    HOP_BY_HOP,
    TOKEN,
    FieldError,
    HeadLimits,
    content_length,
    named_by_connection,
    options,
    split_fields,
    value_of,
)

#: The IANA method registry (CONNECT aside) and PURGE, which caches behind us understand.
METHODS = frozenset(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR "
    b"MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND "
    b"REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)
#: RFC 9110 9.2.2; only methods whose repeat no user can notice.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

# Target: any visible byte but "#" (RFC 9112 3.2); obs-text passes, as nginx and HAProxy let it.
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e\x80-\xff]+) HTTP/1\.([01])")
_VERSION = re.compile(rb" HTTP/[0-9]+(?:\.[0-9]+)?\Z")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)
# reg-name, IPv4 or bracketed IPv6 with an optional port; no userinfo (RFC 9110 4.2.4).
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::[0-9]{0,5})?")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")

_FORWARDED = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"))
_TAKEN = HOP_BY_HOP | _FORWARDED | {b"content-length", b"x-request-id", b"expect"}
_INTERNAL = b"x-cutover-"
_SEEN = HOP_BY_HOP | _FORWARDED | {b"host", b"content-length", b"expect", b"x-request-id", b"cookie"}


class Request:
    """What a request head means. `body` is its length, -1 when chunked, 0 when there is none."""

    __slots__ = (
        "body",
        "expects_continue",
        "fields",
        "host",
        "idempotent",
        "is_head",
        "keep_alive",
        "lines",
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
    lines: list[bytes]  # field lines that go on, in order, without CRLF
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
    if version := _VERSION.search(line):
        if version[0] not in (b" HTTP/1.0", b" HTTP/1.1"):
            return RequestError("only HTTP/1.0 and HTTP/1.1 are served here", 505, "unsupported")
        if b"#" in line:
            return RequestError("request target with a fragment")
        if line.startswith(b"CONNECT "):
            return RequestError("CONNECT is not served here", 405, "unsupported")
    return RequestError("malformed request line")


def parse_request(head: bytes, limits: HeadLimits, seen: Collection[bytes] = ()) -> Request:
    """Whole head, with the empty line that ends it → `Request`.

    `seen` names further fields (lower-case) whose values the caller wants in `Request.fields`.
    """
    end = head.index(b"\r\n")
    request = Request()
    method, target, minor = parse_line(head[:end], limits)
    try:
        _read_fields(request, split_fields(head[end + 2 : -2], limits), seen)
        _frame(request, minor)
    except FieldError as error:
        if error.too_large:
            raise RequestError(str(error), 431, "too_large") from None
        raise RequestError(str(error)) from None
    request.method = method
    request.minor = minor
    request.idempotent = method in IDEMPOTENT
    request.is_head = method == b"HEAD"
    _place(request, target)
    _persist(request)
    return request


def _read_fields(request: Request, lines: list[tuple[bytes, bytes]], seen: Collection[bytes]) -> None:
    fields: dict[bytes, list[bytes]] = {}
    kept = []
    for name, line in lines:
        if b"_" in name and _is_twin(name, seen):
            continue
        if name in _SEEN or name in seen or name.startswith(_INTERNAL):
            fields.setdefault(name, []).append(value_of(line))
        if name not in _TAKEN and not name.startswith(_INTERNAL):
            kept.append((name, line))
    request.fields = fields
    dropped: frozenset[bytes] = frozenset()
    if b"connection" in fields:
        dropped = named_by_connection(options(fields[b"connection"]))
    request.lines = [line for name, line in kept if name not in dropped]


def _is_twin(name: bytes, seen: Collection[bytes]) -> bool:
    """`X_Forwarded_For` and the like: servers that map both spellings to one variable would trust them."""
    twin = name.replace(b"_", b"-")
    return twin in _SEEN or twin in seen or twin.startswith(_INTERNAL)


def _frame(request: Request, minor: int) -> None:
    """RFC 9112 6.3, with every case that it leaves to the reader refused."""
    codings = request.fields.get(b"transfer-encoding")
    length = content_length(request.fields.get(b"content-length", []))
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


def _place(request: Request, target: bytes) -> None:
    """The target in origin-form and the one Host (RFC 9112 3.2, 3.3)."""
    hosts = request.fields.get(b"host", [])
    if len(hosts) > 1:
        raise RequestError("more than one Host")
    if not hosts and request.minor == 1:
        raise RequestError("HTTP/1.1 request without Host")
    if hosts and not valid_host(hosts[0]):
        raise RequestError("malformed Host")
    request.host = hosts[0] if hosts else b""
    if target[:1] != b"/":
        target = _normalise(request, target)
    request.target = target
    request.path = target.partition(b"?")[0]


def _normalise(request: Request, target: bytes) -> bytes:
    if target == b"*":
        if request.method != b"OPTIONS":
            raise RequestError("target * is for OPTIONS only")
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not absolute[1] or not valid_host(absolute[1]):
        raise RequestError("request target is neither a path nor a valid http URL")
    request.host = absolute[1]
    request.lines = [line for line in request.lines if line[:5].lower() != b"host:"]
    request.lines.insert(0, b"Host: " + absolute[1])
    rest = absolute[2]
    if not rest:
        return b"*" if request.method == b"OPTIONS" else b"/"
    return rest if rest[:1] == b"/" else b"/" + rest


def valid_host(host: bytes) -> bool:
    """RFC 9110 7.2: uri-host with an optional port; empty only for targets without authority, so refused."""
    return _HOST.fullmatch(host) is not None


def _persist(request: Request) -> None:
    """Connection, Upgrade and Expect: what this hop must do besides forwarding."""
    connection = options(request.fields.get(b"connection", []))
    if request.minor == 1:
        request.keep_alive = b"close" not in connection
    else:
        request.keep_alive = b"keep-alive" in connection and b"close" not in connection
    upgrade = options(request.fields.get(b"upgrade", []))
    request.upgrades = (
        upgrade == [b"websocket"]
        and b"upgrade" in connection
        and request.method == b"GET"
        and request.minor == 1
        and request.body == 0
    )
    expect = request.fields.get(b"expect")
    request.expects_continue = False
    if expect is not None and request.minor == 1:
        if [value.lower() for value in expect] != [b"100-continue"]:
            raise RequestError("only Expect: 100-continue is understood", 417, "expectation")
        request.expects_continue = request.body != 0
    ids = request.fields.get(b"x-request-id", [])
    request.request_id = ids[0] if len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0]) else b""

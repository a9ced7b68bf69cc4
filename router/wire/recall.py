"""Request heads that differ from an earlier one only in target and cookie: understood without being read again.

Clients repeat their fields, browsers on every page and for every user of the same version. So what a field section
means is remembered by its very bytes, with the Cookie line cut out; a head that is remembered costs a search for that
line and one look into a dictionary. The result is what `RequestParser` makes of the same bytes, always.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .fields import HeadLimits
from .request import Request, RequestParser, parse_line

#: Remembered at most, before all is forgotten; longer ones aren't. Together 2 MB a worker at the worst.
_SECTIONS_MAX: Final = 256
_SECTION_BYTES: Final = 2 * 1024
_LINES_MAX: Final = 1024
_LINE_BYTES: Final = 256

# The spelling of browsers; a line in another one stays part of the section.
_COOKIE: Final = b"\r\nCookie: "
_NO_COOKIE: Final = b"none"  # no section begins like this
# Octets of a field value, as fields.py has them (RFC 9110 5.5).
_TEXT: Final = bytes((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))


_Key = tuple[bytes, int, bytes, bytes]


class _Line:
    """A request line in origin-form."""

    __slots__ = ("method", "minor", "path", "target")

    def __init__(self, method: bytes, target: bytes, minor: int) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.path = target.partition(b"?")[0]


class _Section:
    """A request whose section was read, and its `block` before and behind the Cookie line."""

    __slots__ = ("after", "before", "request")

    def __init__(self, request: Request, before: bytes, after: bytes) -> None:
        self.request = request
        self.before = before
        self.after = after


class RecallingParser:
    """A `RequestParser` with a memory."""

    __slots__ = ("_limits", "_lines", "_parser", "_sections")

    def __init__(self, limits: HeadLimits, seen: Collection[bytes] = ()) -> None:
        self._limits = limits
        self._parser = RequestParser(limits, seen)
        self._lines: dict[bytes, _Line] = {}
        # By method, minor version, the section before the Cookie line and behind it (or all of it and `_NO_COOKIE`).
        self._sections: dict[_Key, _Section] = {}

    def parse(self, head: bytes) -> Request:
        """Whole head, with the empty line that ends it → `Request`, or `RequestError`."""
        start = head.index(b"\r\n")
        line = self._line(head[:start])
        if line is None:
            return self._parser.parse(head)
        end = len(head) - 4
        at = head.rfind(_COOKIE, start)  # which stands behind the others, mostly
        if at < 0:
            cookie = b""
            key = (line.method, line.minor, head[start:end], _NO_COOKIE)
        else:
            behind = head.find(b"\r\n", at + 2)
            cookie = head[at:behind]
            if len(cookie) - 2 > self._limits.field or cookie.translate(None, _TEXT) != b"\r\n":
                return self._parser.parse(head)  # which says what is wrong
            key = (line.method, line.minor, head[start:at], head[behind:end])
        section = self._sections.get(key)
        if section is not None:
            return _like(section, line, cookie)
        request = self._parser.parse(head)
        if end - start <= _SECTION_BYTES:
            self._keep(key, request, cookie)
        return request

    def _line(self, data: bytes) -> _Line | None:
        """None for a target in another form: such a request isn't made of its fields alone."""
        line = self._lines.get(data)
        if line is None:
            method, target, minor = parse_line(data, self._limits)
            if target[:1] != b"/":
                return None
            line = _Line(method, target, minor)
            if len(data) <= _LINE_BYTES:
                if len(self._lines) >= _LINES_MAX:
                    self._lines.clear()
                self._lines[data] = line
        return line

    def _keep(self, key: _Key, request: Request, cookie: bytes) -> None:
        before, found, after = request.block.partition(cookie) if cookie else (request.block, b"", b"")
        if cookie and (not found or len(request.fields[b"cookie"]) > 1):
            return  # taken away by Connection, or not the only one
        if len(self._sections) >= _SECTIONS_MAX:
            self._sections.clear()
        self._sections[key] = _Section(request, before, after)


def _like(section: _Section, line: _Line, cookie: bytes) -> Request:
    model = section.request
    request = Request()
    request.method = model.method
    request.target = line.target
    request.path = line.path
    request.minor = model.minor
    request.host = model.host
    request.body = model.body
    request.keep_alive = model.keep_alive
    request.expects_continue = model.expects_continue
    request.upgrades = model.upgrades
    request.idempotent = model.idempotent
    request.is_head = model.is_head
    request.request_id = model.request_id
    request.block = model.block
    request.fields = model.fields
    if cookie:
        request.block = section.before + cookie + section.after
        request.fields = model.fields.copy()
        request.fields[b"cookie"] = [cookie[len(_COOKIE) :].strip(b" \t")]
    return request

"""Header fields as lines: splitting, checking and the hop-by-hop rules that requests and answers share.

A field line that goes on is forwarded as the very bytes that came, so order, case, duplicates and obs-text are kept
(RFC 9110 5.3, 7.6.1). What is dropped or replaced is decided by name only, here.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,17}")

#: Fields that end at this hop whatever `Connection` says (RFC 9110 7.6.1 and the de facto `Proxy-` ones).
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-authentication-info",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)


class FieldError(ValueError):
    """A field section breaks the grammar or a limit; `too_large` tells which."""

    def __init__(self, message: str, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


@dataclass(frozen=True)
class HeadLimits:
    """Bounds of one head, in bytes and fields."""

    target: int = 8 * 1024
    field: int = 8 * 1024
    head: int = 32 * 1024
    fields: int = 100


# A field line with the CRLF before it. Names may hold no space, so obs-fold (RFC 9112 5.2) and space before the colon
# (5.1) don't match; values may hold no control character but HTAB, so bare CR, bare LF and NUL don't.
_VALID: Final = re.compile(rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+)*+")


def check_fields(head: bytes, limits: HeadLimits, start: int, end: int) -> None:
    """Raise `FieldError` unless `head[start:end]` is nothing but valid field lines, each preceded by CRLF."""
    if _VALID.fullmatch(head, start, end) is None:
        raise FieldError(_diagnose(head[start:end]))
    if head.count(b"\r\n", start, end) > limits.fields:
        raise FieldError(f"more than {limits.fields} header fields", too_large=True)
    if end - start > limits.field and max(map(len, head[start:end].split(b"\r\n"))) > limits.field:
        raise FieldError(f"header field longer than {limits.field} bytes", too_large=True)


class FieldScanner:
    """Checks field sections and finds the fields that matter to this proxy, without taking the others apart."""

    __slots__ = ("_limits", "_special")

    def __init__(self, limits: HeadLimits, names: Iterable[bytes]) -> None:
        """`names` are lower-case; one that ends in ``*`` is a prefix."""
        self._limits = limits
        self._special = _special(names)

    def scan(self, head: bytes, start: int, end: int) -> list[re.Match[bytes]]:
        """The special ones among the lines of `head[start:end]`, each preceded by its CRLF and without one behind.

        Group 1 of a match is the name, group 2 the value with white space at its end, the whole match the line.
        """
        check_fields(head, self._limits, start, end)
        return list(self._special.finditer(head, start, end))


def _special(names: Iterable[bytes]) -> re.Pattern[bytes]:
    """Matches a line with one of `names`, or with a twin of it that has ``_`` for ``-``: servers that map both to one
    variable would take it for ours."""
    ordered = sorted(names)
    initials = b"".join(sorted({name[:1] + name[:1].upper() for name in ordered}))
    choices = []
    for name in ordered:
        choice = re.escape(name.removesuffix(b"*")).replace(rb"\-", b"[-_]")
        choices.append(choice + rb"[^:\r]*" if name.endswith(b"*") else choice)
    return re.compile(rb"\r\n(?=[%b])(?i:(%b)):[ \t]*([^\r]*)" % (initials, b"|".join(choices)))


def _diagnose(block: bytes) -> str:
    for line in block[2:].split(b"\r\n"):
        name, colon, _ = line.partition(b":")
        if line[:1] in (b" ", b"\t"):
            return "folded header field"
        if not colon:
            return "header field without a colon"
        if TOKEN.fullmatch(name) is None:
            return "header field name is not a token"
    return "control character or bare CR or LF in a header field"


def cut(head: bytes, start: int, end: int, gone: list[re.Match[bytes]]) -> bytes:
    """`head[start:end]` without the lines in `gone`, which are in order."""
    if not gone:
        return head[start:end]
    kept = []
    for match in gone:
        kept.append(head[start : match.start()])
        start = match.end()
    kept.append(head[start:end])
    return b"".join(kept)


def cut_named(block: bytes, named: Container[bytes]) -> bytes:
    """Lines, each preceded by CRLF, without those whose name is in `named`: what a `Connection` field takes away."""
    lines = block.split(b"\r\n")
    return b"\r\n".join(line for line in lines if line.partition(b":")[0].lower() not in named)


def options(values: list[bytes]) -> list[bytes]:
    """Members of a comma-separated list of tokens, lower-case, empty ones dropped (RFC 9110 5.6.1)."""
    return [token for value in values for part in value.split(b",") if (token := part.strip(b" \t").lower())]


def content_length(values: list[bytes]) -> int | None:
    """The one Content-Length, or None without; repeated or malformed ones are an error (RFC 9112 6.3)."""
    if not values:
        return None
    if len(values) > 1:
        raise FieldError("more than one Content-Length")
    if _LENGTH.fullmatch(values[0]) is None:
        raise FieldError("malformed Content-Length")
    return int(values[0])


def named_by_connection(connection: list[bytes]) -> frozenset[bytes]:
    """Fields that `Connection` takes away; never those that say where and how a message ends."""
    return frozenset(connection) - _NOT_NAMEABLE


_NOT_NAMEABLE: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"close", b"keep-alive", b"upgrade")
)

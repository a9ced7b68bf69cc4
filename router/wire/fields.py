"""Header fields as lines: splitting, checking and the hop-by-hop rules that requests and answers share.

A field line that goes on is forwarded as the very bytes that came, so order, case, duplicates and obs-text are kept
(RFC 9110 5.3, 7.6.1). What is dropped or replaced is decided by name only, here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")

# Every byte that a field line may hold: HTAB, SP, VCHAR, obs-text (RFC 9110 5.5).
_FIELD_BYTES = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])

#: Fields that end at this hop whatever `Connection` says (RFC 9110 7.6.1 and the de facto `Proxy-` ones).
HOP_BY_HOP = frozenset(
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


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds of one head, in bytes and fields."""

    target: int = 8 * 1024
    field: int = 8 * 1024
    head: int = 32 * 1024
    fields: int = 100


def split_fields(block: bytes, limits: HeadLimits) -> list[tuple[bytes, bytes]]:
    """`block` (field lines, each ended by CRLF) → [(lower-case name, whole line without CRLF)], in order."""
    if not block:
        return []
    lines = block[:-2].split(b"\r\n")
    if len(lines) > limits.fields:
        raise FieldError(f"more than {limits.fields} header fields", too_large=True)
    if block.translate(None, _FIELD_BYTES) != b"\r\n" * len(lines):
        raise FieldError("control character or bare CR or LF in a header field")
    found = []
    for line in lines:
        if len(line) > limits.field:
            raise FieldError(f"header field longer than {limits.field} bytes", too_large=True)
        name, colon, _ = line.partition(b":")
        lower = _names.get(name)
        if lower is None:
            lower = _learn(name)
        if not colon:
            raise FieldError("header field without a colon")
        found.append((lower, line))
    return found


# Names seen before, checked and lowered; bounded, because clients choose names.
_names: dict[bytes, bytes] = {}
_NAMES_MAX = 2048


def _learn(name: bytes) -> bytes:
    if TOKEN.fullmatch(name) is None:
        # Also obs-fold (RFC 9112 5.2) and space before the colon (RFC 9112 5.1).
        raise FieldError("header field name is not a token")
    lower = name.lower()
    if len(name) <= 64:
        if len(_names) >= _NAMES_MAX:
            _names.clear()
        _names[name] = lower
    return lower


def value_of(line: bytes) -> bytes:
    """Value of a field line, without the optional white space around it."""
    return line.partition(b":")[2].strip(b" \t")


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


_NOT_NAMEABLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"close", b"keep-alive"))

"""Where one JSON value ends, and what is wrong with it in the words of Go's encoding/json.

Pure. Go finds the end of a value byte by byte and only then looks at types, so bad syntax anywhere in a value comes
before any wrong type. What follows the value isn't looked at here. Strings and numbers are found by regular
expressions, so the time goes with the number of tokens; nesting needs no recursion.
"""

from __future__ import annotations

import codecs
import re

#: Go refuses deeper nesting (encoding/json, maxNestingDepth).
MAX_DEPTH = 10_000

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING_START = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"')
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB]..)\\u([dD][c-fC-F]..)|u(....)|(.))")
_PLAIN_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = b"0123456789abcdefABCDEF"
_LITERALS = {0x74: b"true", 0x66: b"false", 0x6E: b"null"}
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '"', 39: "\\'", 92: "\\\\"}

#: What may come next.
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _MORE = range(5)
_MAY_END = frozenset((_VALUE_OR_END, _KEY_OR_END, _MORE))
_OBJECT, _COMMA = 0x7B, 0x2C
#: Each opening bracket with its closing one.
_CLOSE = {0x7B: 0x7D, 0x5B: 0x5D}


class JsonError(ValueError):
    """A text that Go's decoder refuses; str() is Go's own message."""


class JsonSyntaxError(JsonError):
    """`offset` counts the bytes up to the offending one, which is included."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class JsonEndError(JsonError):
    """The text ends before the value does; `empty` if there was nothing but space."""

    def __init__(self, empty: bool) -> None:
        super().__init__("EOF" if empty else "unexpected EOF")
        self.empty = empty


def end_of_value(data: bytes, start: int) -> int:
    """Offset behind the value that begins at or after `start`.

    Raises:
        JsonSyntaxError, JsonEndError
    """
    at = start
    stack = bytearray()
    expect = _VALUE
    while True:
        at = skip_space(data, at)
        if at >= len(data):
            raise JsonEndError(not stack and expect == _VALUE)
        byte = data[at]
        if expect == _MORE and byte == _COMMA:
            expect = _KEY if stack[-1] == _OBJECT else _VALUE
            at += 1
            continue
        if byte == _CLOSE.get(stack[-1] if stack else 0) and expect in _MAY_END:
            stack.pop()
            at += 1
        elif expect == _MORE:
            what = "object key:value pair" if stack[-1] == _OBJECT else "array element"
            raise _invalid(data, at, f"after {what}")
        elif expect in (_KEY, _KEY_OR_END):
            at = _key_end(data, at)
            expect = _VALUE
            continue
        elif byte in _CLOSE:
            stack.append(byte)
            if len(stack) > MAX_DEPTH:
                raise _invalid(data, at, "exceeded max depth")
            expect = _KEY_OR_END if byte == _OBJECT else _VALUE_OR_END
            at += 1
            continue
        else:
            at = _string_end(data, at) if byte == 0x22 else _scalar_end(data, at)
        if not stack:
            return at
        expect = _MORE


def skip_space(data: bytes, at: int) -> int:
    """Offset of what is no space at or behind `at`."""
    match = _SPACE.match(data, at)
    assert match is not None
    return match.end()


def _key_end(data: bytes, at: int) -> int:
    """Offset behind the key at `at` and its colon."""
    if data[at] != 0x22:
        raise _invalid(data, at, "looking for beginning of object key string")
    at = skip_space(data, _string_end(data, at))
    if data[at : at + 1] != b":":
        raise _invalid(data, at, "after object key")
    return at + 1


def _string_end(data: bytes, start: int) -> int:
    match = _STRING_START.match(data, start)
    assert match is not None
    at = match.end()
    if at >= len(data):
        raise JsonEndError(False)
    if data[at] == 0x22:
        return at + 1
    if data[at] != 0x5C:
        raise _invalid(data, at, "in string literal")
    if data[at + 1 : at + 2] != b"u":
        raise _invalid(data, at + 1, "in string escape code")
    at += 2
    while data[at : at + 1] and data[at] in _HEX:
        at += 1
    raise _invalid(data, at, "in \\u hexadecimal character escape")


def _scalar_end(data: bytes, at: int) -> int:
    byte = data[at]
    if (word := _LITERALS.get(byte)) is not None:
        for index in range(1, len(word)):
            if data[at + index : at + index + 1] != word[index : index + 1]:
                context = f"in literal {word.decode()} (expecting '{chr(word[index])}')"
                raise _invalid(data, at + index, context)
        return at + len(word)
    match = NUMBER.match(data, at)
    if match is None:
        if byte == 0x2D:
            raise _invalid(data, at + 1, "in numeric literal")
        raise _invalid(data, at, "looking for beginning of value")
    # The expression stops before a fraction or an exponent without digits; Go, which never steps back, is in it.
    end = match.end()
    following = data[end : end + 1]
    if following == b"." and not re.search(rb"[.eE]", match[0]):
        raise _invalid(data, end + 1, "after decimal point in numeric literal")
    if following in (b"e", b"E") and not re.search(rb"[eE]", match[0]):
        end += 1 + (data[end + 1 : end + 2] in (b"+", b"-"))
        raise _invalid(data, end, "in exponent of numeric literal")
    return end


def _invalid(data: bytes, at: int, context: str) -> JsonError:
    if at >= len(data):
        return JsonEndError(False)
    return JsonSyntaxError(f"invalid character {_quoted(data[at])} {context}", at + 1)


def _quoted(byte: int) -> str:
    """A byte as Go quotes the character of that number."""
    if byte in _ESCAPES:
        shown = _ESCAPES[byte]
    elif 0x20 <= byte < 0x7F or (byte >= 0xA1 and byte != 0xAD):
        shown = chr(byte)
    else:
        shown = f"\\x{byte:02x}" if byte < 0x80 else f"\\u{byte:04x}"
    return f"'{shown}'"


def after_value(data: bytes, end: int) -> None:
    """Refuse anything but space behind a value.

    Raises:
        JsonSyntaxError
    """
    at = skip_space(data, end)
    if at < len(data):
        raise _invalid(data, at, "after top-level value")


def read_string(data: bytes, start: int) -> tuple[str, int]:
    """The text of the well-formed string literal at `start`, and the offset behind it."""
    match = _STRING.match(data, start)
    assert match is not None
    text = match[1].decode("utf-8", "each-byte-replaced")
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text, match.end()


def _unescaped(match: re.Match[str]) -> str:
    high, low, unit, plain = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if unit:
        code = int(unit, 16)
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
    return _PLAIN_ESCAPES.get(plain, plain)


def _one_byte(error: UnicodeError) -> tuple[str, int]:
    """Go replaces each byte that is no part of a character, Python's own handler each broken sequence."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", error.start + 1


codecs.register_error("each-byte-replaced", _one_byte)

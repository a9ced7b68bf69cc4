"""JSON into the fields of a Go struct, as far as a client can see how Go's encoding/json does it.

Pure. Field names match in any case, unknown ones are ignored, absent ones get Go's zero value, null leaves a plain
field as it is, a repeated key is decoded over the first, invalid UTF-8 becomes U+FFFD, and a value of the wrong type
is named with Go's types, path and offset. Struct names are those of the Go source with their package
(``auth.SigninRequest``), since they show in error texts.

Numbers in `ANY` are doubles; whole ones come as int, so that they are written again without a fraction, as Go does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from .gotypes import ANY, BOOL, FLOAT, INT, STRING, Anything, Map, Plain, Pointer, Slice, Struct, Type, zero
from .jsonscan import (
    NUMBER,
    JsonEndError,
    JsonError,
    JsonSyntaxError,
    after_value,
    end_of_value,
    read_string,
    skip_space,
)

__all__ = [
    "ANY",
    "BOOL",
    "FLOAT",
    "INT",
    "STRING",
    "JsonEndError",
    "JsonError",
    "JsonSyntaxError",
    "JsonTypeError",
    "Map",
    "Pointer",
    "Slice",
    "Struct",
    "Type",
    "decode",
    "unmarshal",
]


class JsonTypeError(JsonError):
    """A value can't go into its field: `got` a JSON kind, `expected` a Go type, at the dotted `field` ("": the whole).

    `offset` is Go's: behind a literal, behind the opening bracket.
    """

    def __init__(self, got: str, expected: str, offset: int, struct: str, field: str) -> None:
        place = f"struct field {struct}.{field}" if field else "value"
        super().__init__(f"json: cannot unmarshal {got} into Go {place} of type {expected}")
        self.got = got
        self.expected = expected
        self.field = field
        self.offset = offset


def decode(data: bytes, into: Type) -> Any:
    """The first value of `data`, whatever follows it, as Go's Decoder reads one.

    Raises:
        JsonSyntaxError, JsonEndError, JsonTypeError
    """
    end_of_value(data, 0)
    return _Decoder(data).value(into, zero(into))


def unmarshal(data: bytes, into: Type) -> Any:
    """`data` as one value and nothing else, as Go's Unmarshal reads it.

    Raises:
        JsonSyntaxError, JsonTypeError
    """
    try:
        # Go tries a space at the end: some unfinished literals are wrong by it, the rest are merely unfinished.
        end = end_of_value(data + b" ", 0)
    except JsonEndError:
        raise JsonSyntaxError("unexpected end of JSON input", len(data)) from None
    after_value(data, end)
    return _Decoder(data).value(into, zero(into))


class _Decoder:
    """Walks over a value that is known to be well formed.

    `at` is where the next token is looked for; `struct` and `path` name the field we are in.
    """

    __slots__ = ("at", "data", "path", "struct")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.struct = ""
        self.path: list[str] = []

    def value(self, into: Type, old: Any) -> Any:
        """The next value decoded over `old`."""
        if isinstance(into, Anything):
            return self._any()
        byte = self._peek()
        if byte == 0x6E:  # null
            self.at += 4
            return old if isinstance(into, (Plain, Struct)) else None
        if isinstance(into, Pointer):
            return self.value(into.to, zero(into.to) if old is None else old)
        if byte == 0x7B:
            if isinstance(into, Struct):
                return self._struct(into, old)
            if isinstance(into, Map):
                return self._map(into, {} if old is None else old)
            raise self._wrong("object", into, self.at + 1)
        if byte == 0x5B:
            if isinstance(into, Slice):
                return self._slice(into, old or [])
            raise self._wrong("array", into, self.at + 1)
        return self._literal(into, byte)

    def _literal(self, into: Type, byte: int) -> object:
        if byte == 0x22:
            kind: str = "string"
            found: object = self._string()
        elif byte in b"tf":
            kind, found = "bool", byte == 0x74
            self.at += 4 if found else 5
        else:
            kind, found = "number", self._number()
        if not isinstance(into, Plain) or into.literal != kind:
            raise self._wrong(kind, into, self.at)
        if kind == "number":
            text = str(found)
            number = _int(text) if into is INT else _float(text)
            if number is None:
                raise self._wrong(f"number {text}", into, self.at)
            return number
        return found

    def _struct(self, into: Struct, old: dict[str, Any]) -> dict[str, Any]:
        outer = self.struct
        for key in self._keys():
            if (field := _field(into.fields, key)) is None:
                self.at = end_of_value(self.data, self.at)
                continue
            self.struct = into.go.rpartition(".")[2]
            self.path.append(field)
            old[field] = self.value(into.fields[field], old[field])
            self.path.pop()
            self.struct = outer
        return old

    def _map(self, into: Map, old: dict[str, Any]) -> dict[str, Any]:
        for key in self._keys():
            old[key] = self.value(into.of, zero(into.of))
        return old

    def _slice(self, into: Slice, old: list[Any]) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        while self._peek() != 0x5D:
            # A repeated key decodes over the elements that are there.
            before = old[len(found)] if len(found) < len(old) else zero(into.of)
            found.append(self.value(into.of, before))
            if self._peek() == 0x2C:
                self.at += 1
        self.at += 1
        return found

    def _keys(self) -> Iterator[str]:
        """Each key of the object at `at`, standing before its value; leaves `at` behind the object."""
        self.at += 1
        while self._peek() != 0x7D:
            key = self._string()
            self._peek()
            self.at += 1
            yield key
            if self._peek() == 0x2C:
                self.at += 1
                self._peek()
        self.at += 1

    def _any(self) -> Any:
        """The next value as Python objects, without recursion: it may be nested 10,000 deep."""
        stack: list[Any] = []
        keys: list[str] = []
        while True:
            byte = self._peek()
            if byte == 0x7B or byte == 0x5B:
                stack.append({} if byte == 0x7B else [])
                self.at += 1
            else:
                value = self._leaf(byte)
                if not stack:
                    return value
                _put(stack[-1], keys, value)
            while (byte := self._peek()) in b"]}":
                self.at += 1
                value = stack.pop()
                if not stack:
                    return value
                _put(stack[-1], keys, value)
            if byte == 0x2C:
                self.at += 1
            if isinstance(stack[-1], dict):
                self._peek()
                keys.append(self._string())
                self._peek()
                self.at += 1

    def _leaf(self, byte: int) -> object:
        """A string, number, true, false or null."""
        if byte == 0x22:
            return self._string()
        if byte == 0x6E:
            self.at += 4
            return None
        if byte in b"tf":
            self.at += 4 if byte == 0x74 else 5
            return byte == 0x74
        text = self._number()
        number = _float(text)
        if number is None:
            # Go's offset is one further here than for a typed field.
            raise self._wrong(f"number {text}", FLOAT, self.at + 1)
        return int(number) if number.is_integer() and abs(number) < 2**63 else number

    def _peek(self) -> int:
        self.at = skip_space(self.data, self.at)
        return self.data[self.at]

    def _string(self) -> str:
        text, self.at = read_string(self.data, self.at)
        return text

    def _number(self) -> str:
        match = NUMBER.match(self.data, self.at)
        assert match is not None
        self.at = match.end()
        return match[0].decode()

    def _wrong(self, got: str, into: Type, offset: int) -> JsonTypeError:
        return JsonTypeError(got, into.go, offset, self.struct, ".".join(self.path))


def _put(container: Any, keys: list[str], value: object) -> None:
    if isinstance(container, dict):
        container[keys.pop()] = value
    else:
        container.append(value)


def _field(fields: Mapping[str, Type], key: str) -> str | None:
    """The field that a key means: the exact one, else the one that differs in case only."""
    if key in fields:
        return key
    folded = _folded(key)
    return next((name for name in fields if _folded(name) == folded), None)


def _folded(name: str) -> str:
    # Among characters outside of ASCII only these two fold into it: U+017F and, by lower(), U+212A.
    return name.replace("\u017f", "s").lower()


def _int(text: str) -> int | None:
    """None if it isn't an integer of 64 bits."""
    if not text.lstrip("-").isdigit() or len(text) > 20:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _float(text: str) -> float | None:
    """None if it is beyond a double."""
    number = float(text)
    return number if math.isfinite(number) else None

"""The Go types that a request body is read into, described as data; a struct's fields stand by their JSON names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Plain:
    """string, bool, int or float64: never None."""

    go: str
    zero: object
    literal: str


STRING = Plain("string", "", "string")
BOOL = Plain("bool", False, "bool")
INT = Plain("int", 0, "number")
FLOAT = Plain("float64", 0.0, "number")


@dataclass(frozen=True, slots=True)
class Anything:
    """`any`: str, bool, int, float, list, dict or None."""

    go: str = "interface {}"


ANY = Anything()


@dataclass(frozen=True, slots=True)
class Slice:
    """A list, or None when absent or null."""

    of: Type

    @property
    def go(self) -> str:
        return f"[]{self.of.go}"


@dataclass(frozen=True, slots=True)
class Map:
    """A dict with str keys, or None when absent or null."""

    of: Type

    @property
    def go(self) -> str:
        return f"map[string]{self.of.go}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """What it points at, or None when absent or null."""

    to: Type

    @property
    def go(self) -> str:
        return f"*{self.to.go}"


@dataclass(frozen=True, slots=True)
class Struct:
    """A dict with every field. `go` is the type's name with its package; `fields` by their (ASCII) JSON names."""

    go: str
    fields: Mapping[str, Type]


Type = Plain | Anything | Slice | Map | Pointer | Struct


def zero(of: Type) -> Any:
    """Go's zero value."""
    if isinstance(of, Plain):
        return of.zero
    if isinstance(of, Struct):
        return {name: zero(field) for name, field in of.fields.items()}
    return None

"""How two JSON values that aren't equal differ, and how they are shown."""

from __future__ import annotations

import calendar
import json
import re
import unicodedata
from typing import Any

from .difference import Kind
from .redact import example

#: RFC 3339, 5.6, with the space, the missing colon and the missing zone that others write.
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)([Tt ])(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(?:([Zz])|([+-]\d\d)(:?)(\d\d)?)?"
)
#: As JSON has it, with the leading plus, zeros and points that people add.
_NUMBER = re.compile(r"[+-]?\d{1,400}(?:\.\d{0,400})?(?:[eE][+-]?\d{1,4})?")
_EMPTY: tuple[Any, ...] = ("", [], {})
#: A string longer than this isn't brought into a normal form: that is no matter of spelling.
_NORMALISED = 10_000


def classify(stable: Any, canary: Any) -> Kind:
    """The class of two values' difference; lists and objects differ here only by type."""
    if stable is None or canary is None:
        return Kind.NULL_VS_EMPTY if stable in _EMPTY or canary in _EMPTY else Kind.TYPE
    if isinstance(stable, str) and isinstance(canary, str):
        return _strings(stable, canary)
    if type(stable) is not type(canary):
        spelt = _spelt(stable), _spelt(canary)
        return Kind.NUMBER_FORMAT if None not in spelt and spelt[0] == spelt[1] else Kind.TYPE
    return Kind.VALUE


def _strings(stable: str, canary: str) -> Kind:
    times = _instant(stable), _instant(canary)
    if None not in times:
        return Kind.TIME_FORMAT if times[0] == times[1] else Kind.VALUE
    numbers = _spelt(stable), _spelt(canary)
    if None not in numbers and numbers[0] == numbers[1]:
        return Kind.NUMBER_FORMAT
    if max(len(stable), len(canary)) <= _NORMALISED and _normal(stable) == _normal(canary):
        return Kind.ENCODING
    return Kind.VALUE


def time_shape(value: str) -> tuple[str, str] | None:
    """How a time is written: its separator and its zone (``Z``, ``+hh:mm``, ``+hhmm`` or none); None for other text."""
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    zone = "Z" if match[9] else "" if match[10] is None else f"+hh{match[11]}{'mm' if match[12] else ''}"
    return match[4].upper(), zone


def _instant(value: str) -> int | None:
    """Nanoseconds since 1970; a time without a zone counts as UTC."""
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    try:
        seconds = calendar.timegm(tuple(int(match[part]) for part in (1, 2, 3, 5, 6, 7)))
    except ValueError:
        return None
    if match[10]:
        minutes = int(match[12] or 0)
        seconds -= int(match[10]) * 3600 + (minutes if match[10][0] == "+" else -minutes) * 60
    return seconds * 10**9 + int((match[8] or "").ljust(9, "0"))


def _spelt(value: Any) -> float | None:
    """The number that a value is or spells."""
    if isinstance(value, float):
        return value
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def shown(name: str, value: Any) -> str:
    """A value found under the key `name`, as an example."""
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return example(name, str(int(value)))
    if isinstance(value, str):
        return json.dumps(example(name, value), ensure_ascii=False)
    return example(name, json.dumps(value))

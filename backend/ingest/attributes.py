"""OTLP attributes as JSON text, byte for byte as Go's encoding/json writes them; pure.

The rows that the Go backend stored hold such text, and both backends' rows lie in one table.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from ..errors import BadSpanError

#: What goes into JSON as it is; bytes, doubles, lists and maps are treated below.
_PLAIN = frozenset(("string_value", "int_value", "bool_value"))
#: encoding/json escapes these wherever they stand, and they stand only inside strings.
_ESCAPES = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def to_json(value: object) -> str:
    """JSON text with sorted keys, without blanks. Doubles must be fragments (`number`)."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text.decode()


def to_dict(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as a dict for `to_json`: the last of a repeated key wins, as in Go.

    Lists and maps keep only strings, whole numbers, doubles and booleans: what is nested deeper, and bytes in them,
    the Go backend drops. A list of which nothing is left is null.

    Raises:
        BadSpanError: a double is NaN or infinite, which JSON can't say.
    """
    found: dict[str, Any] = {}
    for attribute in attributes:
        add(found, attribute.key, attribute.value)
    return found


def add(found: dict[str, Any], key: str, value: AnyValue) -> None:
    """Put one attribute into `found`, unless it has no value that Go would store.

    Raises:
        BadSpanError: as `to_dict`.
    """
    kind = value.WhichOneof("value")
    if kind in _PLAIN:
        found[key] = getattr(value, kind)
    elif kind == "double_value":
        found[key] = number(value.double_value)
    elif kind == "array_value":
        found[key] = [_scalar(each) for each in value.array_value.values if _is_scalar(each)] or None
    elif kind == "kvlist_value":
        pairs = value.kvlist_value.values
        found[key] = {pair.key: _scalar(pair.value) for pair in pairs if _is_scalar(pair.value)}
    elif kind == "bytes_value":
        found[key] = value.bytes_value.hex()


def _is_scalar(value: AnyValue) -> bool:
    kind = value.WhichOneof("value")
    return kind in _PLAIN or kind == "double_value"


def _scalar(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    return number(value.double_value) if kind == "double_value" else getattr(value, kind)


def number(value: float) -> orjson.Fragment:
    """A double as encoding/json writes it: ES6's shortest digits, an exponent below 1e-6 and from 1e21 on.

    Raises:
        BadSpanError: it is NaN or infinite.
    """
    if not isfinite(value):
        raise BadSpanError(f"an attribute is {value}, which JSON has no number for")
    text = repr(value)
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(text), "f") if "e" in text else text.removesuffix(".0")
    else:
        text = text.replace("e-0", "e-")
    return orjson.Fragment(text)

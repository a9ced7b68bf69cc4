"""Cookies as Go's net/http reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.web.cookies import http_date, read_cookies, written_value


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([], None),
        ([b""], None),
        ([b"csrf=a"], "a"),
        ([b"x=y; csrf=a; csrf=b"], "a"),
        ([b"x=y", b"csrf=a", b"csrf=b"], "a"),
        ([b" csrf = a"], " a"),
        ([b"csrf=a=b"], "a=b"),
        ([b"csrf="], ""),
        ([b"csrf"], ""),
        ([b'csrf=""'], ""),
        ([b'csrf="a"'], "a"),
        ([b'csrf="'], None),
        ([b'csrf="; csrf=b'], "b"),
        ([b'csrf=a"b; csrf=c'], "c"),
        ([b"csrf=\xc3\xa9"], None),
        ([b"csrf=a\\b"], None),
        ([b"csrf=a b,c"], "a b,c"),
        ([b"Csrf=a"], None),
        ([b"xcsrf=a; csrfx=b"], None),
        ([b";;csrf=a;;"], "a"),
    ],
)
def test_one_value(lines: list[bytes], value: str | None) -> None:
    assert read_cookies(lines, (b"csrf", b"session")).get(b"csrf") == value


@given(st.lists(st.binary() | st.text('csrf=;" \\\t', max_size=20).map(str.encode), max_size=3))
def test_any_bytes_can_be_read_and_written(lines: list[bytes]) -> None:
    for value in read_cookies(lines, (b"csrf",)).values():
        again = read_cookies([f"csrf={written_value(value)}".encode()], (b"csrf",))
        assert again in ({b"csrf": value}, {b"csrf": value.rstrip()})


def test_dates() -> None:
    assert http_date(1) == "Thu, 01 Jan 1970 00:00:01 GMT"
    assert http_date(1_795_500_988) == "Tue, 24 Nov 2026 06:16:28 GMT"

"""The check against cross-site requests, and its tokens."""

from __future__ import annotations

import pytest

from backend.errors import RequestError
from backend.web.csrf import check, set_cookie


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_safe_method_needs_nothing(method: str) -> None:
    for has_header in (False, True):
        token = check(method, None, has_header)
        assert len(token) == 32
        assert token.isascii()
        assert token.isalpha()
    assert check(method, "mine", False) == "mine"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_any_other_needs_the_cookie(method: str) -> None:
    assert check(method, "", False) == ""
    assert check(method, "mine", True) == "mine"
    with pytest.raises(RequestError, match="missing value in cookies") as caught:
        check(method, None, False)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match="invalid csrf token") as caught:
        check(method, None, True)
    assert caught.value.status == 403


def test_tokens_differ_and_use_every_letter() -> None:
    tokens = {check("GET", None, False) for _ in range(500)}
    assert len(tokens) == 500
    assert len(set("".join(tokens))) == 52


def test_the_cookie() -> None:
    name, line = set_cookie("a b", 1_795_414_588)
    assert name == b"set-cookie"
    assert line == b'csrf="a b"; Expires=Tue, 24 Nov 2026 06:16:28 GMT; HttpOnly; Secure; SameSite=Strict'

"""Which origins are allowed, and what they are told."""

from __future__ import annotations

import pytest

from backend.web.cors import Cors

ALLOWED = (b"access-control-allow-credentials", b"true")


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), b"https://anything.example", True),
        ((), b"null", True),
        ((), b"", False),
        (("http://a.example",), b"http://a.example", True),
        (("http://a.example",), b"http://b.example", False),
        (("http://a.example",), b"HTTP://a.example", False),
        (("http://a.example",), b"http://a.example:80", False),
        (("http://a.example", "http://b.example"), b"http://b.example", True),
        (("*",), b"http://a.example", False),
    ],
)
def test_origins(origins: tuple[str, ...], origin: bytes, allowed: bool) -> None:
    cors = Cors(origins)
    headers = cors.headers(origin)
    assert (b"vary", b"Origin") in headers
    assert (ALLOWED in headers) == allowed
    assert ((b"access-control-allow-origin", origin) in headers) == allowed
    preflight = cors.preflight(origin)
    assert preflight.status == 204
    assert any(name == b"access-control-allow-methods" for name, _ in preflight.headers) == allowed

"""The check against cross-site requests as Echo's middleware makes it, with the product's settings.

A request that changes something must carry the `csrf` cookie: the token is looked for in the X-CSRF-Token header and
in the cookie itself, so the cookie alone passes and the header alone never does. Whoever passes gets the cookie anew
for 24 hours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters

from ..errors import RequestError
from .answer import Header
from .cookies import http_date, written_value

#: Seconds that the cookie lives.
LIFETIME = 86_400
#: Letters of a token.
LENGTH = 32
#: Methods that change nothing (RFC 9110, section 9.2.1).
SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))

VARY: Header = (b"vary", b"Cookie")
# A byte below 4 x 52 picks a letter; the rest is dropped, as it would favour some.
_FAIR = 256 - 256 % len(ascii_letters)
_LETTERS = bytes(ord(ascii_letters[byte % len(ascii_letters)]) for byte in range(256))
_UNFAIR = bytes(range(_FAIR, 256))


def check(method: str, token: str | None, has_header: bool) -> str:
    """The token of a request, a new one if it has none. `token` is the cookie's, `has_header` whether a line
    X-CSRF-Token was sent.

    Raises:
        RequestError: 403 for the header without the cookie, 400 with neither.
    """
    if token is not None:
        return token
    if method not in SAFE:
        if has_header:
            raise RequestError(403, "invalid csrf token", "csrf")
        raise RequestError(400, "missing value in cookies", "csrf")
    return next(_TOKENS)


def set_cookie(token: str, now: int) -> Header:
    """The header that sets the cookie at `now`, in Unix seconds."""
    return b"set-cookie", b"csrf=" + written_value(token).encode("ascii") + _attributes(now)


@lru_cache(4)
def _attributes(now: int) -> bytes:
    return f"; Expires={http_date(now + LIFETIME)}; HttpOnly; Secure; SameSite=Strict".encode("ascii")


def _new_tokens() -> Iterator[str]:
    """Many from each call of the system, which takes longer than all the rest."""
    while True:
        letters = os.urandom(8192).translate(_LETTERS, _UNFAIR).decode("ascii")
        for at in range(0, len(letters) - LENGTH + 1, LENGTH):
            yield letters[at : at + LENGTH]


_TOKENS = _new_tokens()

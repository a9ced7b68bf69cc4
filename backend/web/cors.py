"""CORS as Echo's middleware answers it, before any routing: every OPTIONS ends here, with 204.

Pure. With no configured origin any is allowed and reflected; credentials are always allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

from .answer import Answer, Header

_VARY: Header = (b"vary", b"Origin")
_CREDENTIALS: Header = (b"access-control-allow-credentials", b"true")
_PREFLIGHT: tuple[Header, ...] = (
    (b"vary", b"Access-Control-Request-Method"),
    (b"vary", b"Access-Control-Request-Headers"),
    (b"access-control-allow-methods", b"GET,POST,PUT,DELETE,OPTIONS"),
    (b"access-control-allow-headers", b"Origin,Content-Type,Accept,X-CSRF-Token"),
)


class Cors:
    """`origins` are compared byte by byte; none allows all."""

    __slots__ = ("_origins",)

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, origin: bytes) -> list[Header]:
        """What every answer to `origin` (empty: none was sent) carries."""
        if not self._allows(origin):
            return [_VARY]
        return [_VARY, (b"access-control-allow-origin", origin), _CREDENTIALS]

    def preflight(self, origin: bytes) -> Answer:
        """The answer to any OPTIONS, without what `headers` adds."""
        return Answer(204, headers=_PREFLIGHT if self._allows(origin) else ())

    def _allows(self, origin: bytes) -> bool:
        return bool(origin) and (not self._origins or origin in self._origins)

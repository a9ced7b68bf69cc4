"""Finds the handler of a request as Echo's router does, and knows which paths need no session.

The path is matched as sent. Only one whose escapes are those that Go itself would write is decoded first, so
``a%20b`` arrives as ``a b`` and ``a%2Fb`` or ``%c3%bc`` as they are. A trailing slash makes another path, a parameter
may be empty unless it is last, and a last one takes everything that is left, slashes included. No GET answers HEAD.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from starlette.requests import Request
from starlette.routing import Route

#: Operators' paths, which have a token of their own.
_ADMIN = frozenset(("/admin/handover", "/admin/quarantine", "/admin/quarantine/replay"))
#: Paths that are answered without a session.
PUBLIC = _ADMIN.union(
    ("/ping", "/sign-in", "/csrf", "/users/db-has-users", "/users/create-first-user", "/health", "/metrics")
)
#: Paths whose requests need no CSRF cookie and get none.
CSRF_EXEMPT = _ADMIN.union(("/sign-in",))

#: An answer is any ASGI application: `answer.Answer`, or one of Starlette's that streams.
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Asgi]]

_PARAMETER = re.compile(r"\{(\w+)\}")
_BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")
#: net/url leaves these as they are in a path, beside letters, digits and "-_.~".
_UNESCAPED = "$&+,/:;=@"
#: The order in which Echo names methods; OPTIONS is always first.
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "PATCH", "POST", "PROPFIND", "PUT", "TRACE")


class Found(NamedTuple):
    """`path` is the route's own, with its parameters' names in braces; "" if there is none.

    Without a handler it is 405 if `allow` is set, else 404.
    """

    path: str
    handler: Handler | None
    params: Mapping[str, str]
    allow: str = ""


NOT_FOUND = Found("", None, {})


class _Path(NamedTuple):
    """The handlers of one route path by method."""

    path: str
    pattern: re.Pattern[str]
    handlers: dict[str, Handler]

    def refuse(self) -> Found:
        allow = ", ".join(("OPTIONS", *(method for method in _METHODS if method in self.handlers)))
        return Found(self.path, None, {}, allow)


class Routes:
    """A table of Starlette's routes; a path with parameters is tried after those without."""

    def __init__(self, routes: Iterable[Route]) -> None:
        paths: dict[str, _Path] = {}
        for route in routes:
            path = paths.setdefault(route.path, _Path(route.path, _pattern(route.path), {}))
            # Starlette adds HEAD to every GET; Echo doesn't.
            for method in (route.methods or set()) - {"HEAD"}:
                path.handlers[method] = route.endpoint
        self._static = {
            (method, path): Found(path, handler, {})
            for path, each in paths.items()
            if "{" not in path
            for method, handler in each.handlers.items()
        }
        self._refused = {path: each.refuse() for path, each in paths.items() if "{" not in path}
        self._with_parameters = sorted((each for path, each in paths.items() if "{" in path), key=_precedence)

    def find(self, method: str, path: str) -> Found:
        """The route of a path as `target` gives it."""
        if (found := self._static.get((method, path))) is not None:
            return found
        refused = self._refused.get(path)
        for each in self._with_parameters:
            if (match := each.pattern.fullmatch(path)) is not None:
                if (handler := each.handlers.get(method)) is not None:
                    return Found(each.path, handler, match.groupdict())
                refused = refused or each.refuse()
        return refused or NOT_FOUND


def _pattern(path: str) -> re.Pattern[str]:
    """`{name}` is what stands up to the next slash, perhaps nothing; at the end it is all that is left."""
    expression = ""
    at = 0
    for parameter in _PARAMETER.finditer(path):
        expression += re.escape(path[at : parameter.start()])
        at = parameter.end()
        expression += f"(?P<{parameter[1]}>{'.+' if at == len(path) else '[^/]*'})"
    return re.compile(expression + re.escape(path[at:]), re.DOTALL)


def _precedence(path: _Path) -> list[bool]:
    return ["{" in segment for segment in path.path.split("/")]


def target(raw: bytes) -> str | None:
    """The path to match, from the one in the request line without its query; None if an escape is broken."""
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw):
            return None
        decoded = unquote_to_bytes(raw)
        if quote_from_bytes(decoded, _UNESCAPED).encode("ascii") == raw:
            raw = decoded
    return raw.decode("utf-8", "replace")


def request(scope: Any, receive: Any, send: Any, found: Found) -> Request:
    """The request as a handler sees it; its parameters are in `path_params`."""
    scope["path_params"] = found.params
    return Request(scope, receive, send)

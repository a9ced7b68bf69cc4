"""What differs in two answers' headers, of those that mean something to a client; cookies by name and attributes.

``Date``, ``Content-Length`` and the values of cookies are never compared: two backends can't agree on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .answer import Answer
from .difference import Found, Kind
from .redact import example
from .rules import Book

#: Compared as they stand.
_PLAIN = frozenset(
    (
        "content-disposition",
        "content-language",
        "content-location",
        "content-range",
        "content-security-policy",
        "link",
        "location",
        "permissions-policy",
        "referrer-policy",
        "strict-transport-security",
        "www-authenticate",
        "x-content-type-options",
        "x-frame-options",
    )
)
#: Lists whose order and case mean nothing.
_SETS = frozenset(
    (
        "accept-ranges",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-expose-headers",
        "allow",
        "cache-control",
        "pragma",
        "vary",
    )
)
#: Only whether they are there: each backend makes its own.
_PRESENT = frozenset(("etag", "expires", "last-modified", "retry-after"))
#: Cookie attributes without a value of their own to compare; a cookie's end is compared by Max-Age.
_DATED = "expires"


def compare(stable: Answer, canary: Answer, book: Book, found: Found) -> None:
    """Add what differs in headers and cookies."""
    headers = _Side(book, found, "headers")
    names = {name for answer in (stable, canary) for name, _ in answer.headers}
    for name in sorted(names):
        if meaning := _meaning(name):
            headers.pair(name, stable.header(name), canary.header(name), meaning)
    cookies = _Side(book, found, "cookies")
    ours, theirs = _cookies(stable), _cookies(canary)
    for name in sorted(ours.keys() | theirs.keys()):
        cookies.cookie(name, ours.get(name, []), theirs.get(name, []))


class _Side:
    """Adds differences below one root."""

    def __init__(self, book: Book, found: Found, root: str) -> None:
        self._book = book
        self._found = found
        self._root = root

    def pair(self, name: str, stable: str, canary: str, meaning: Callable[[str], object]) -> None:
        if stable and canary and meaning(stable) == meaning(canary):
            return
        if stable or canary:
            kind = Kind.MISSING if not canary else Kind.EXTRA if not stable else _kind(name, stable, canary)
            self._add((name,), kind, example("", stable), example("", canary))

    def cookie(self, name: str, stable: list[dict[str, str]], canary: list[dict[str, str]]) -> None:
        """All cookies of one name: each line is a cookie of its own if domain or path differ (RFC 6265, 5.3)."""
        if len(stable) != len(canary):
            kind = Kind.MISSING if len(canary) < len(stable) else Kind.EXTRA
            self._add((name,), kind, f"set {len(stable)} times", f"set {len(canary)} times")
            return
        for ours, theirs in zip(stable, canary, strict=True):
            for attribute in sorted(ours.keys() | theirs.keys()):
                one, other = ours.get(attribute), theirs.get(attribute)
                if one != other:
                    kind = Kind.MISSING if other is None else Kind.EXTRA if one is None else Kind.VALUE
                    self._add((name, attribute), kind, example("", one or ""), example("", other or ""))

    def _add(self, names: tuple[str, ...], kind: Kind, stable: str, canary: str) -> None:
        state, ignored = self._book.root(self._root), False
        for name in names:
            state = state.step(name)
            ignored = ignored or self._book.treat(state) == "ignore"
        only_type = self._book.treat(state) == "type" and kind not in (Kind.MISSING, Kind.EXTRA)
        if not ignored and not only_type:
            path = ".".join((self._root, *names))
            self._found.add(path, kind, self._book.action(state, kind), stable, canary)


def _meaning(name: str) -> Callable[[str], object] | None:
    """How a header is compared, or None if it isn't."""
    if name == "content-type":
        return _media_type
    if name in _SETS:
        return lambda value: {item.strip().lower() for item in value.split(",")}
    if name in _PRESENT:
        return bool
    return str.strip if name in _PLAIN or name.startswith("access-control-") else None


def _media_type(value: str) -> tuple[str, frozenset[str]]:
    """Type and parameters; names and charset in any case (RFC 9110, 8.3)."""
    kind, *parameters = value.split(";")
    return kind.strip().lower(), frozenset(re.sub(r"[\s\"]", "", each).lower() for each in parameters if each.strip())


def _kind(name: str, stable: str, canary: str) -> Kind:
    same_type = name == "content-type" and _media_type(stable)[0] == _media_type(canary)[0]
    return Kind.ENCODING if same_type else Kind.VALUE


def _cookies(answer: Answer) -> dict[str, list[dict[str, str]]]:
    """Cookies by name; each as its attributes without the value, in an order that is the same on both sides."""
    cookies: dict[str, list[dict[str, str]]] = {}
    for header, line in answer.headers:
        if header == "set-cookie":
            pair, *attributes = line.split(";")
            name = pair.partition("=")[0].strip()
            cookies.setdefault(name, []).append(dict(map(_attribute, filter(str.strip, attributes))))
    return {name: sorted(lines, key=_scope) for name, lines in cookies.items()}


def _attribute(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    name = name.strip().lower()
    value = value.strip()
    if name == _DATED:
        return name, ""
    return name, value if name == "path" else value.lower()


def _scope(attributes: dict[str, str]) -> tuple[str, str]:
    return (attributes.get("domain", ""), attributes.get("path", ""))

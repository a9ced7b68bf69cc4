"""Which arm a request goes to: identity, routes and weight → decision. Pure; time and randomness come in from outside.

A user is an identity; its place on the line 0..2^64 is a hash with the rollout's salt, and the canary owns the
beginning of that line up to the weight. So every worker and every restart agree, raising the weight moves users to
the canary only, and lowering it moves them back only.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from xxhash import xxh3_64_intdigest

STABLE: Final = 0
CANARY: Final = 1
_ARM_BY_NAME: Final = {b"stable": STABLE, b"canary": CANARY, "stable": STABLE, "canary": CANARY}

#: How an arm was chosen, in the order of precedence; counters.ASSIGNED_BY names them.
PIN: Final = 0
OVERRIDE: Final = 1
IDENTITY: Final = 2
NEW: Final = 3
FALLBACK: Final = 4

#: Weights are hundredths of a percent.
WEIGHT_ONE: Final = 10_000
_LINE_END: Final = 1 << 64

#: Longest identity taken from a client, and longest value of the router's own cookie.
_IDENTITY_MAX: Final = 4096
_ISSUED_MAX: Final = 128

ARM_FIELD: Final = b"x-cutover-arm"
TOKEN_FIELD: Final = b"x-cutover-token"

Fields = Mapping[bytes, list[bytes]]


def hash64(salt: int, identity: bytes) -> int:
    """Place of an identity on the line, uniform in 0..2^64 - 1 (XXH3, seeded with the rollout's salt)."""
    return xxh3_64_intdigest(identity, salt)


def threshold(weight: int) -> int:
    """End of the canary's part of the line for a weight in hundredths of a percent."""
    return weight * _LINE_END // WEIGHT_ONE


class Identifier:
    """Finds the identity of a request: a configured header, the router's cookie, the product's session cookie."""

    __slots__ = ("_cookies", "_header", "seen")

    def __init__(self, header: str, cookie: str, session_cookie: str) -> None:
        self._header = header.lower().encode("ascii")
        self._cookies = [
            (name.encode("ascii") + b"=", longest)
            for name, longest in ((cookie, _ISSUED_MAX), (session_cookie, _IDENTITY_MAX))
            if name
        ]
        #: Field names that the head parser must collect for `identify`.
        self.seen: frozenset[bytes] = frozenset((self._header,)) if header else frozenset()

    def identify(self, fields: Fields) -> bytes:
        """The identity, or b"" for a user not seen before."""
        if self._header:
            for value in fields.get(self._header, ()):
                if 0 < len(value) <= _IDENTITY_MAX:
                    return value
        for cookie in fields.get(b"cookie", ()):
            for start, longest in self._cookies:
                value = _cookie_value(cookie, start)
                if 0 < len(value) <= longest:
                    return value
        return b""


# RFC 6265 4.1.1.
_COOKIE_OCTETS: Final = re.compile(rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


def _cookie_value(cookie: bytes, start: bytes) -> bytes:
    """Value of the first pair that begins with `start` (name and "=") in a Cookie field, else b"" (RFC 6265 5.4)."""
    at = cookie.find(start)
    while at >= 0:
        if at == 0 or cookie[max(at - 2, 0) : at] == b"; " or cookie[:at].rstrip(b" \t")[-1:] == b";":
            end = cookie.find(b";", at)
            value = cookie[at + len(start) :] if end < 0 else cookie[at + len(start) : end]
            return value if _COOKIE_OCTETS.fullmatch(value) else _bare(value)
        at = cookie.find(start, at + 1)
    return b""


def _bare(value: bytes) -> bytes:
    """A value less the white space and the quotes around it; b"" when that isn't one either."""
    value = value.strip(b" \t")
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = value[1:-1]
    return value if _COOKIE_OCTETS.fullmatch(value) else b""


@dataclass(frozen=True)
class Rule:
    """A compiled route: what config.Route says, in the split's own terms."""

    label: str
    pin: int | None
    threshold: int | None
    mirror: bool | None
    first_byte: float | None


NO_RULE: Final = Rule("_OTHER", None, None, None, None)


class Routes:
    """The routes in force, compiled to one pattern; the first route that matches a request applies."""

    __slots__ = ("_pattern", "_rules")

    def __init__(self, routes: Sequence[Mapping[str, Any]]) -> None:
        self._rules = [_rule(route) for route in routes]
        self._pattern = re.compile(b"|".join(map(_route_pattern, routes)), re.DOTALL) if routes else None

    def find(self, method: bytes, path: bytes) -> Rule:
        """The rule for a method and a target without its query; `NO_RULE` without a match."""
        if self._pattern is None:
            return NO_RULE
        match = self._pattern.fullmatch(method + b" " + path)
        return NO_RULE if match is None or match.lastindex is None else self._rules[match.lastindex - 1]


def _rule(route: Mapping[str, Any]) -> Rule:
    percent = route.get("percent")
    pin = route.get("pin")
    return Rule(
        label=str(route.get("name") or route["path"]),
        pin=_ARM_BY_NAME[pin] if pin else None,
        threshold=None if percent is None else threshold(round(percent * 100)),
        mirror=route.get("mirror"),
        first_byte=route.get("first_byte"),
    )


def _route_pattern(route: Mapping[str, Any]) -> bytes:
    methods = b"|".join(re.escape(method.encode()) for method in route.get("methods", ())) or b"[^ ]+"
    parts = re.split(rb"(\{[^{}/]*\}|\*$)", route["path"].encode())
    path = b"".join(b".*" if part == b"*" else b"[^/]+" if part.startswith(b"{") else re.escape(part) for part in parts)
    return b"((?:" + methods + b") " + path + b")"


class Split:
    """One state of the table, ready to decide with: pin, then override, then identity."""

    __slots__ = ("_override", "_override_token", "_routes", "_salt", "_threshold")

    def __init__(
        self, weight: int, salt: int, routes: Routes, override: bool = False, override_token: str = ""
    ) -> None:
        self._salt = salt
        self._threshold = threshold(weight)
        self._routes = routes
        self._override = override
        self._override_token = override_token.encode()

    def rule(self, method: bytes, path: bytes) -> Rule:
        """The route that applies to a request."""
        return self._routes.find(method, path)

    def fixed(self, rule: Rule, fields: Fields) -> tuple[int, int] | None:
        """(arm, how) of a request whose arm no identity decides, else None."""
        if rule.pin is not None:
            return rule.pin, PIN
        if self._override and ARM_FIELD in fields:
            arm = self._overridden(fields)
            if arm is not None:
                return arm, OVERRIDE
        return None

    def _overridden(self, fields: Fields) -> int | None:
        if self._override_token:
            given = fields.get(TOKEN_FIELD, [b""])[0]
            if not hmac.compare_digest(given, self._override_token):
                return None
        return _ARM_BY_NAME.get(fields[ARM_FIELD][0].lower())

    def end(self, rule: Rule) -> int:
        """Where the canary's part of the line ends: an identity whose place lies before it belongs to the canary."""
        return self._threshold if rule.threshold is None else rule.threshold

    def place(self, identity: bytes) -> int:
        """Place of an identity on the line."""
        return hash64(self._salt, identity)

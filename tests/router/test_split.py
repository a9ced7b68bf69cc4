"""Who goes where: sticky, monotone, exact at the ends; what identifies a user; pins, overrides and routes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.counters import ASSIGNED_BY
from router.split import (
    CANARY,
    IDENTITY,
    NO_RULE,
    OVERRIDE,
    PIN,
    STABLE,
    WEIGHT_ONE,
    Fields,
    Identifier,
    Routes,
    Rule,
    Split,
    hash64,
    threshold,
)

LAST = 2**64 - 1
WEIGHTS = st.integers(0, WEIGHT_ONE)
SALTS = st.integers(0, LAST)
IDENTITIES = st.binary(min_size=1, max_size=64)


def users(number: int, seed: int) -> list[bytes]:
    random = Random(seed)
    return [b"%032x" % random.getrandbits(128) for _ in range(number)]


def canaries(split: Split, identities: list[bytes], rule: Rule = NO_RULE) -> set[bytes]:
    return {identity for identity in identities if split.place(identity) < split.end(rule)}


def split(weight: int, salt: int = 1, **settings: Any) -> Split:
    return Split(weight, salt, Routes([]), **settings)


# The line.


@given(IDENTITIES, SALTS)
def test_a_place_lies_on_the_line_and_stays(identity: bytes, salt: int) -> None:
    place = hash64(salt, identity)
    assert 0 <= place <= LAST
    assert split(5000, salt).place(identity) == split(1, salt).place(identity) == place


@given(IDENTITIES, SALTS, WEIGHTS, WEIGHTS)
def test_raising_the_weight_only_moves_users_to_the_canary(identity: bytes, salt: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert canaries(split(low, salt), [identity]) <= canaries(split(high, salt), [identity])


@pytest.mark.parametrize("place", [0, 1, 2**63, LAST])
def test_the_ends_are_exact(place: int) -> None:
    """At 0 % not even the first place is the canary's, at 100 % even the last one is."""
    assert not place < threshold(0)
    assert place < threshold(WEIGHT_ONE)


def test_every_hundredth_of_a_percent_counts() -> None:
    ends = [threshold(weight) for weight in range(WEIGHT_ONE + 1)]
    widths = {after - before for before, after in pairwise(ends)}
    assert max(widths) - min(widths) <= 1
    assert min(widths) == 2**64 // WEIGHT_ONE


def test_the_place_is_the_same_in_every_version() -> None:
    """Users keep their arm over an upgrade of the router, so this may never change (XXH3, 64 bits, seeded)."""
    assert hash64(0, b"") == 0x2D06800538D394C2
    assert hash64(1, b"user") == hash64(1, b"user") != hash64(2, b"user")


@pytest.mark.parametrize("weight", [10, 100, 500, 2500, 5000, 9900])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_share_is_the_weight(weight: int, seed: int) -> None:
    number, share = 40_000, weight / WEIGHT_ONE
    found = len(canaries(split(weight, seed), users(number, seed)))
    sigma = (number * share * (1 - share)) ** 0.5
    assert abs(found - number * share) < 4 * sigma


def test_places_are_uniform() -> None:
    """64 equal parts of the line hold equal numbers of similar names: chi-square far from its 0.01 % end."""
    parts = [0] * 64
    for number in range(64_000):
        parts[hash64(7, b"user-%d" % number) >> 58] += 1
    assert sum((found - 1000) ** 2 / 1000 for found in parts) < 112  # 63 degrees of freedom: p = 0.0001


def test_another_salt_is_another_cohort() -> None:
    """What one rollout did to a user says nothing about the next: two tenths overlap in a hundredth."""
    everyone = users(20_000, 5)
    first, second = canaries(split(1000, 1), everyone), canaries(split(1000, 2), everyone)
    assert 140 < len(first & second) < 260


# Identities.

OURS = Identifier("", "cutover_id", "")
ALL = Identifier("X-User", "cutover_id", "session")


@pytest.mark.parametrize(
    ("cookie", "identity"),
    [
        (b"cutover_id=a", b"a"),
        (b"x=1; cutover_id=a; y=2", b"a"),
        (b"x=1;cutover_id=a;y=2", b"a"),
        (b"x=1;\tcutover_id=a \t; y=2", b"a"),
        (b"cutover_id=a; cutover_id=b", b"a"),
        (b'cutover_id="a b"', b""),
        (b'cutover_id="ab"', b"ab"),
        (b'cutover_id=""', b""),
        (b'cutover_id="', b""),
        (b"cutover_id=a=b", b"a=b"),
        (b"cutover_id=", b""),
        (b"cutover_id", b""),
        (b"", b""),
        (b"xcutover_id=a", b""),
        (b"x=cutover_id=a", b""),
        (b"x cutover_id=a", b""),
        (b"x=1 cutover_id=b; cutover_id=a", b"a"),
        (b"Cutover_Id=a", b""),
        (b"cutover_id=a\\b", b""),
        (b"cutover_id=a,b", b""),
        (b"cutover_id=a\xe9", b""),
        (b"cutover_id=a\x7f", b""),
        (b"cutover_id=a b", b""),
        (b"cutover_id=" + b"a" * 128, b"a" * 128),
        (b"cutover_id=" + b"a" * 129, b""),
    ],
)
def test_our_cookie(cookie: bytes, identity: bytes) -> None:
    assert OURS.identify({b"cookie": [cookie]}) == identity


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({b"x-user": [b"u"], b"cookie": [b"cutover_id=a; session=s"]}, b"u"),
        ({b"x-user": [b""], b"cookie": [b"session=s; cutover_id=a"]}, b"a"),
        ({b"x-user": [b"", b"v", b"w"]}, b"v"),
        ({b"x-user": [b"\xe9 \x01"]}, b"\xe9 \x01"),
        ({b"x-user": [b"u" * 4096]}, b"u" * 4096),
        ({b"x-user": [b"u" * 4097], b"cookie": [b"session=s"]}, b"s"),
        ({b"cookie": [b"session=s"]}, b"s"),
        ({b"cookie": [b"x=1", b"session=s"]}, b"s"),
        ({b"cookie": [b"session=" + b"s" * 4096]}, b"s" * 4096),
        ({b"cookie": [b"session=" + b"s" * 4097]}, b""),
        ({b"cookie": [b"cutover_id=; session=s"]}, b"s"),
        ({}, b""),
    ],
)
def test_the_first_identity_that_there_is(fields: Fields, identity: bytes) -> None:
    """Header, then our cookie, then the product's; one that is empty, malformed or too long counts as absent."""
    assert ALL.identify(fields) == identity


def test_only_a_configured_header_is_looked_at() -> None:
    assert OURS.seen == frozenset()
    assert ALL.seen == {b"x-user"}
    assert OURS.identify({b"": [b"u"], b"x-user": [b"u"], b"cookie": [b"session=s"]}) == b""


@given(st.binary(max_size=60))
def test_an_identity_from_a_cookie_is_clean(cookie: bytes) -> None:
    identity = OURS.identify({b"cookie": [b"cutover_id=" + cookie]})
    assert all(0x21 <= octet < 0x7F and octet not in b'",;\\' for octet in identity)
    assert identity in cookie


# Precedence.

ARM, TOKEN = b"x-cutover-arm", b"x-cutover-token"
PINNED = Rule("p", STABLE, None, None, None)


def test_no_identity_decides_against_a_pin() -> None:
    assert split(WEIGHT_ONE, override=True).fixed(PINNED, {ARM: [b"canary"]}) == (STABLE, PIN)
    assert split(0).fixed(replace(PINNED, pin=CANARY), {}) == (CANARY, PIN)
    assert split(0).fixed(NO_RULE, {}) is None


@pytest.mark.parametrize(
    ("values", "arm"),
    [
        ([b"canary"], CANARY),
        ([b"stable"], STABLE),
        ([b"Canary"], CANARY),
        ([b"stable", b"canary"], STABLE),
        ([b"green"], None),
        ([b""], None),
    ],
)
def test_override(values: list[bytes], arm: int | None) -> None:
    expected = None if arm is None else (arm, OVERRIDE)
    assert split(0, override=True).fixed(NO_RULE, {ARM: values}) == expected
    assert split(0).fixed(NO_RULE, {ARM: values}) is None


@pytest.mark.parametrize(
    ("given_tokens", "arm"), [([b"t0ken"], CANARY), ([b"T0ken"], None), ([b""], None), ([b"x", b"t0ken"], None)]
)
def test_an_override_needs_its_token(given_tokens: list[bytes], arm: int | None) -> None:
    guarded = split(0, override=True, override_token="t0ken")
    found = guarded.fixed(NO_RULE, {ARM: [b"canary"], TOKEN: given_tokens})
    assert found == (None if arm is None else (arm, OVERRIDE))
    assert guarded.fixed(NO_RULE, {ARM: [b"canary"]}) is None


def test_a_token_alone_is_not_enough() -> None:
    assert split(0, override_token="t0ken").fixed(NO_RULE, {ARM: [b"canary"], TOKEN: [b"t0ken"]}) is None


# Routes.


def found(path: bytes, *routes: dict[str, Any], method: bytes = b"GET") -> str:
    return Routes(routes).find(method, path).label


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/api/*", b"/api/", True),
        ("/api/*", b"/api/a/b", True),
        ("/api/*", b"/api", False),
        ("/api/*", b"/x/api/", False),
        ("/api*", b"/apiary", True),
        ("/api", b"/api", True),
        ("/api", b"/api/", False),
        ("/api", b"/API", False),
        ("/u/{id}", b"/u/7", True),
        ("/u/{id}", b"/u/", False),
        ("/u/{id}", b"/u/7/x", False),
        ("/u/{id}/x", b"/u/7/x", True),
        ("/u/{id}/{other}/*", b"/u/7/8/9", True),
        ("/u/x-{id}", b"/u/x-7", True),
        ("/a.b", b"/axb", False),
        ("/a.b", b"/a.b", True),
        ("/a+(b)|[c]$^\\d?", b"/a+(b)|[c]$^\\d?", True),
        ("/a+(b)|[c]$^\\d?", b"/aab", False),
        ("/a*b", b"/a*b", True),
        ("/a*b", b"/axb", False),
        ("/*", b"/a\nb", True),
        ("/é", "/é".encode(), True),
    ],
)
def test_route_patterns(pattern: str, path: bytes, matches: bool) -> None:
    assert (found(path, {"path": pattern}) == pattern) is matches


@pytest.mark.parametrize(
    ("method", "label"),
    [(b"GET", "reads"), (b"HEAD", "reads"), (b"POST", "rest"), (b"GETX", "rest"), (b"get", "rest"), (b"X.Y", "rest")],
)
def test_route_methods(method: bytes, label: str) -> None:
    routes = {"path": "/*", "methods": ["GET", "HEAD"], "name": "reads"}, {"path": "/*", "name": "rest"}
    assert found(b"/a", *routes, method=method) == label


def test_the_first_route_that_matches_applies() -> None:
    routes = [{"path": f"/{letter}/*", "name": f"{letter}{number}"} for number in range(40) for letter in "ab"]
    assert found(b"/b/c", *routes) == "b0"
    assert found(b"/c", *routes) == NO_RULE.label == "_OTHER"
    assert found(b"/c", *routes, {"path": "/c"}) == "/c"


def test_what_a_rule_says() -> None:
    routes = Routes(
        [
            {"path": "/s", "pin": "stable"},
            {"path": "/c", "pin": "canary", "mirror": False, "first_byte": 120.0},
            {"path": "/w", "percent": 12.34, "mirror": True},
            {"path": "/none", "percent": 0},
        ]
    )
    assert routes.find(b"GET", b"/s") == Rule("/s", STABLE, None, None, None)
    assert routes.find(b"GET", b"/c") == Rule("/c", CANARY, None, False, 120.0)
    assert routes.find(b"GET", b"/w") == Rule("/w", None, threshold(1234), True, None)
    assert routes.find(b"GET", b"/none") == Rule("/none", None, 0, None, None)
    assert Routes([]).find(b"GET", b"/s") == NO_RULE


def test_a_route_has_its_own_weight() -> None:
    """The same line serves every route: who is canary at a low weight is canary wherever the weight is higher."""
    everyone = users(5000, 9)
    routed = Split(1000, 1, Routes([{"path": "/w", "percent": 25}, {"path": "/none", "percent": 0}]))
    usual = canaries(routed, everyone, routed.rule(b"GET", b"/"))
    more = canaries(routed, everyone, routed.rule(b"GET", b"/w"))
    assert usual < more == canaries(split(2500), everyone)
    assert not canaries(routed, everyone, routed.rule(b"GET", b"/none"))


def test_how_it_was_chosen_has_one_numbering() -> None:
    names = ASSIGNED_BY
    assert (names[PIN], names[OVERRIDE], names[IDENTITY]) == ("pin", "override", "identity")

"""What differs between two answers: a table for each class, then properties over any JSON."""

from __future__ import annotations

import gzip
import json
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.shadow.answer import Answer, answer
from router.shadow.compare import compare
from router.shadow.difference import MAX_PLACES, MORE, Action
from router.shadow.rules import Rule, Rules

JSON = ("Content-Type", "application/json")
Headers = list[tuple[str, str]]


def json_answer(body: Any, *headers: tuple[str, str]) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer(200, [JSON, *headers], raw)


def places(stable: Answer, canary: Answer, *rules: Rule) -> list[str]:
    found = compare(stable, canary, Rules(rules=rules).for_request("GET", "/"))
    return [f"{difference.place.path} {difference.place.kind}" for difference in found]


def rule(path: str, treat: Any, *classes: str) -> Rule:
    return Rule.model_validate({"path": path, "treat": treat, "classes": classes})


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [
        (b'{"a": 1, "b": [2]}', b'{ "b":[2.0],"a":1e0}', []),
        (b'"\\u003c\\u00fc"', b'"<\xc3\xbc"', []),
        (b'{"a": 1, "a": 2}', b'{"a": 2}', []),  # JavaScript takes the last
        (b"[9007199254740993]", b"[9007199254740992]", []),  # the same double
        (b"-0", b"0", []),
        (b"\xef\xbb\xbf[]", b"[]", []),
        (b'{"a": 1}', b"{}", ["$.a missing"]),
        (b"{}", b'{"a": null}', ["$.a extra"]),
        (b'{"a": 1}', b'{"a": true}', ["$.a type"]),
        (b'{"a": {}}', b'{"a": []}', ["$.a type"]),
        (b'{"a": 1}', b'{"a": 2}', ["$.a value"]),
        (b'{"a": null}', b'{"a": []}', ["$.a null-vs-empty"]),
        (b'{"a": ""}', b'{"a": null}', ["$.a null-vs-empty"]),
        (b'{"a": null}', b'{"a": "x"}', ["$.a type"]),
        (b'{"a": 1}', b'{"a": "1"}', ["$.a number-format"]),
        (b'{"a": "1.50"}', b'{"a": "1.5"}', ["$.a number-format"]),
        (b'["2026-11-23T06:16:28Z"]', b'["2026-11-23T06:16:28.000+00:00"]', ["$[*] time-format"]),
        (b'["2026-11-23T06:16:28Z"]', b'["2026-11-23 07:16:28+0100"]', ["$[*] time-format"]),
        (b'["2026-11-23T06:16:28Z"]', b'["2026-11-23T06:16:29Z"]', ["$[*] value"]),
        (b'["2026-11-23T06:16:28Z"]', b'["2026-99-99T06:16:28Z"]', ["$[*] value"]),
        ('["\u00fc"]'.encode(), '["u\u0308"]'.encode(), ["$[*] encoding"]),
        (b"[1, 2, 3]", b"[3, 1, 2]", ["$ order"]),
        (b'{"a": [{"x": [1]}, {"x": [2]}]}', b'{"a": [{"x": [2]}, {"x": [1]}]}', ["$.a order"]),
        (b"[1, 2, 3]", b"[1, 3]", ["$ length"]),
        (b"[1, 2, 3]", b"[0, 1, 2, 3]", ["$ length"]),
        (b"[1, 2, 3]", b"[9, 3]", ["$ length", "$[*] value"]),
        (b"[1, 1, 2]", b"[1, 2, 2]", ["$[*] value"]),
        (b'[{"a": 1}, {"a": 2}]', b'[{"a": 3}, {"a": 4}]', ["$[*].a value"]),
        (b'{"a": 1}', b'{"a": 1', ["$ type"]),
        (b"[1]", b"[NaN]", ["$ type"]),
        (b"[1", b"[2", ["body value"]),
        (b"[1]", b"", ["body missing"]),
        (b"", b"[1]", ["body extra"]),
    ],
)
def test_json(stable: bytes, canary: bytes, expected: list[str]) -> None:
    assert places(json_answer(stable), json_answer(canary)) == expected


@pytest.mark.parametrize(
    ("stable", "canary", "rules", "expected"),
    [
        ({"id": 1, "n": 1}, {"id": 2, "n": 1}, [rule("$.id", "ignore")], []),
        ({"id": 1}, {}, [rule("$.id", "ignore")], []),
        ({"a": {"id": 1}}, {"a": {"id": 2}}, [rule("$..id", "ignore")], []),
        ({"id": 1}, {"id": 2}, [rule("$.id", "type")], []),
        ({"id": 1}, {"id": "x"}, [rule("$.id", "type")], ["$.id type"]),
        ({"id": 1}, {}, [rule("$.id", "type")], ["$.id missing"]),
        ({"id": {"a": 1}}, {"id": {}}, [rule("$.id", "type")], []),
        (["2026-11-23T06:16:28Z"], ["2026-11-24T07:00:00.5Z"], [rule("$[*]", "type")], []),
        (["2026-11-23T06:16:28Z"], ["2026-11-24T06:16:28+00:00"], [rule("$[*]", "type")], ["$[*] time-format"]),
        (["2026-11-23T06:16:28Z"], ["now"], [rule("$[*]", "type")], ["$[*] time-format"]),
        ([1, 2], [2, 1], [rule("$", "set")], []),
        ([1, 2, 2], [2, 1, 1], [rule("$", "set")], ["$[*] value"]),
        ([1, 2], [2], [rule("$", "set")], ["$ length"]),
        (
            [{"id": 1, "k": "a", "n": 1}, {"id": 2, "k": "b", "n": 2}],
            [{"id": 8, "k": "b", "n": 2}, {"id": 9, "k": "a", "n": 3}],
            [rule("$", "set"), rule("$[*].id", "type")],
            ["$[*].n value"],
        ),
        (
            [{"k": "a", "m": "a", "n": 1}, {"k": "b", "m": "b", "n": 2}],
            [{"k": "b", "m": "b", "n": 3}, {"k": "a", "m": "a", "n": 4}],
            [rule("$", "set")],
            ["$[*].n value"],
        ),
    ],
)
def test_rules(stable: Any, canary: Any, rules: list[Rule], expected: list[str]) -> None:
    assert places(json_answer(stable), json_answer(canary), *rules) == expected


def test_the_first_rule_for_a_class_decides() -> None:
    book = Rules.model_validate(
        {
            "rule": [
                {"path": "$.a", "treat": "warn", "classes": ["value"]},
                {"path": "$.a", "treat": "allow"},
                {"path": "$.b", "treat": "allow", "route": "/other/*"},
            ],
            "default": {"extra": "warn"},
        }
    ).for_request("GET", "/x?y")
    stable = json_answer({"a": 1, "b": 1, "c": 1})
    changed, retyped = json_answer({"a": 2, "b": 2, "d": 1}), json_answer({"a": [], "b": 1, "c": 1})
    actions = {found.place.path: found.action for found in compare(stable, changed, book)}
    assert actions == {"$.a": Action.WARN, "$.b": Action.BLOCK, "$.c": Action.BLOCK, "$.d": Action.WARN}
    assert [found.action for found in compare(stable, retyped, book)] == [Action.ALLOW]


@pytest.mark.parametrize(
    ("route", "method", "path", "applies"),
    [
        ("/*", "GET", "/", True),
        ("/users", "GET", "/users?limit=1", True),
        ("/users", "GET", "/users/1", False),
        ("/users/{id}", "GET", "/users/1", True),
        ("/users/{id}", "GET", "/users/1/keys", False),
        ("/a.b*", "GET", "/axb", False),
    ],
)
def test_routes(route: str, method: str, path: str, applies: bool) -> None:
    assert Rule(path="$", treat="set", route=route).applies(method, path) is applies
    assert not Rule(path="$", treat="set", route=route, methods=("POST",)).applies(method, path)


SESSION = "session=abc; Path=/; Expires=Wed, 23 Dec 2026 06:16:28 GMT; Max-Age=3600; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [
        ([("Date", "a"), ("Content-Length", "1"), ("Server", "x")], [("Date", "b")], []),
        ([("Vary", "Origin"), ("Vary", "Cookie")], [("vary", "cookie, origin")], []),
        ([("Vary", "Origin")], [], ["headers.vary missing"]),
        ([], [("Access-Control-Allow-Origin", "*")], ["headers.access-control-allow-origin extra"]),
        ([("Cache-Control", "no-store")], [("Cache-Control", "max-age=1")], ["headers.cache-control value"]),
        ([("ETag", '"1"')], [("ETag", '"2"')], []),
        ([("ETag", '"1"')], [], ["headers.etag missing"]),
        ([("Set-Cookie", SESSION)], [("Set-Cookie", SESSION.replace("abc", "xyz").replace("23 Dec", "24 Dec"))], []),
        (
            [("Set-Cookie", SESSION)],
            [("Set-Cookie", SESSION.replace("Strict", "Lax"))],
            ["cookies.session.samesite value"],
        ),
        (
            [("Set-Cookie", SESSION)],
            [("Set-Cookie", SESSION.replace("; HttpOnly", ""))],
            ["cookies.session.httponly missing"],
        ),
        ([("Set-Cookie", SESSION)], [], ["cookies.session missing"]),
        (
            [("Set-Cookie", "a=; Domain=x.example"), ("Set-Cookie", "a=")],
            [("Set-Cookie", "a="), ("Set-Cookie", "a=; Domain=x.example")],
            [],
        ),
        (
            [("Set-Cookie", "a=; Path=/; Domain=x"), ("Set-Cookie", "a=; Path=/")],
            [("Set-Cookie", "a=; Path=/"), ("Set-Cookie", "a=; Domain=x; Path=/")],
            [],
        ),
        ([("Set-Cookie", "a=; Path=/A")], [("Set-Cookie", "a=; Path=/a")], ["cookies.a.path value"]),
    ],
)
def test_headers(stable: Headers, canary: Headers, expected: list[str]) -> None:
    assert places(answer(204, stable, b""), answer(204, canary, b"")) == expected


def test_headers_by_rule() -> None:
    stable, canary = answer(200, [("Vary", "a"), ("Set-Cookie", SESSION)], b""), answer(200, [], b"")
    assert places(stable, canary, rule("headers.vary", "ignore"), rule("cookies.*", "ignore")) == []
    changed = answer(200, [("Vary", "b"), ("Set-Cookie", SESSION.replace("; HttpOnly", ""))], b"")
    rules = [rule("headers.*", "type"), rule("cookies.session", "ignore")]
    assert places(stable, changed, *rules) == []


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [
        (("text/plain", b"a"), ("text/plain", b"a"), []),
        (("text/plain", b"a"), ("text/plain", b"b"), ["body value"]),
        (("text/plain; charset=utf-8", b"a"), ("text/plain;charset=UTF-8", b"a"), []),
        (
            ("text/plain; charset=utf-8", "\u00fc".encode()),
            ("text/plain; charset=iso-8859-1", b"\xfc"),
            ["headers.content-type encoding", "body encoding"],
        ),
        (("image/png", b"\xff\x00"), ("image/png", b"\xff\x01"), ["body value"]),
        (("application/json", b"[1]"), ("text/html", b"<p>"), ["headers.content-type value", "$ type"]),
        (("application/problem+json", b"[1 ]"), ("application/problem+json", b"[1]"), []),
        (
            ("text/plain; charset=utf-7", b"+APw-"),  # Python reads more charsets than browsers do
            ("text/plain", "\u00fc".encode()),
            ["headers.content-type encoding", "body value"],
        ),
    ],
)
def test_other_bodies(stable: tuple[str, bytes], canary: tuple[str, bytes], expected: list[str]) -> None:
    one, other = (answer(200, [("Content-Type", kind)], body) for kind, body in (stable, canary))
    assert places(one, other) == expected


def test_status_and_then_no_body() -> None:
    stable, canary = json_answer({"a": 1}), answer(500, [JSON], b'{"error": "x"}')
    assert places(stable, canary) == ["status value"]
    assert places(stable, canary, rule("status", "allow")) == ["status value", "$.a missing", "$.error extra"]


def test_places_are_bounded_and_the_worst_beyond_them_counts() -> None:
    stable, canary = ({f"{side}{number}": 1 for number in range(300)} for side in "ac")
    book = Rules(rules=(rule("$.*", "allow", "missing"), rule("$.c7", "block"), rule("$.*", "warn"))).for_request(
        "GET", "/"
    )
    found = compare(json_answer(stable), json_answer(canary), book)
    assert len(found) == MAX_PLACES + 2
    assert [(each.place, each.action, each.count) for each in found[-2:]] == [
        ((MORE, "missing"), Action.ALLOW, 100),
        ((MORE, "extra"), Action.BLOCK, 300),
    ]


def test_over_the_cap_by_digest() -> None:
    stable, same, other = (answer(200, [JSON], body, cap=4) for body in (b"[1, 2]", b"[1, 2]", b"[1, 3]"))
    assert places(stable, same) == []
    assert places(stable, other) == ["body value"]


def test_content_codings() -> None:
    plain = json_answer([1, 2])
    coded = json_answer(gzip.compress(b"[1,2]"), ("Content-Encoding", "gzip"))
    assert places(plain, coded) == []
    assert places(plain, json_answer(gzip.compress(b"[1]"), ("Content-Encoding", "gzip"))) == ["$ length"]
    broken = json_answer(b"\x1f\x8b", ("Content-Encoding", "gzip"))
    bomb = json_answer(gzip.compress(bytes(20 << 20)), ("Content-Encoding", "gzip"))
    assert places(plain, broken) == places(plain, bomb) == ["body encoding"]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)
KEYS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=4)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def respelled(value: Any, rng: random.Random) -> str:
    """The same JSON with keys in another order and numbers spelt in another way."""
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return "{ " + ",\n".join(f"{json.dumps(key)} :{respelled(inner, rng)}" for key, inner in items) + "}"
    if isinstance(value, list):
        return "[" + " ,".join(respelled(inner, rng) for inner in value) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return rng.choice([repr(float(value)), f"{float(value):.17e}", json.dumps(value)])
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


@settings(max_examples=50)
@given(TREES, st.integers())
def test_equal_but_for_spelling(tree: Any, seed: int) -> None:
    spelled = respelled(tree, random.Random(seed)).encode("utf-8", "surrogatepass")
    assert places(json_answer(tree), json_answer(spelled)) == []


def leaves(tree: Any, path: str = "$") -> list[tuple[str, Any, Any]]:
    """Path, container and key of every scalar."""
    if isinstance(tree, dict):
        return [found for key in tree for found in inner_leaves(tree, key, f"{path}.{key}")]
    return [found for number in range(len(tree)) for found in inner_leaves(tree, number, f"{path}[*]")]


def inner_leaves(tree: Any, key: Any, path: str) -> list[tuple[str, Any, Any]]:
    return leaves(tree[key], path) if isinstance(tree[key], dict | list) else [(path, tree, key)]


@settings(max_examples=50)
@given(st.lists(TREES, min_size=1, max_size=4), st.data())
def test_one_change_is_found_at_its_path_alone(tree: Any, data: st.DataObject) -> None:
    tree.append("something")
    before = json_answer(tree)
    path, container, key = data.draw(st.sampled_from(leaves(tree)))
    container[key] = "changed by the test"
    assert [place.split(" ")[0] for place in places(before, json_answer(tree))] == [path]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(stable: bytes, canary: bytes) -> None:
    assert bool(places(json_answer(stable), json_answer(canary))) <= (stable != canary)


HUGE = 50_000


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (b"[" * HUGE, b"[" * HUGE + b"1"),
        (b"[" * 90 + b"1" + b"]" * 90, b"[" * 90 + b"2" + b"]" * 90),
        (b"[" * 500 + b"1" + b"]" * 500, b"[" * 500 + b"2" + b"]" * 500),
        (b"[" + b"1," * (HUGE // 2) + b"1]", b"[" + b"2," * (HUGE // 2) + b"1]"),
        (b"[" + b"[]," * (HUGE // 3) + b"1]", b"[1," + b"{}," * (HUGE // 3) + b"1]"),
        (b"9" * HUGE, b"9" * 20),
        (b'"' + b"token" * (HUGE // 5) + b'"', b'"' + b"secrettoken=" * (HUGE // 12) + b'"'),
        (b'{"' + b"k" * HUGE + b'":1}', b'{"' + b"k" * HUGE + b'":2}'),
        (json.dumps(dict.fromkeys(map(str, range(HUGE // 10)), 1)).encode(), b"{}"),
    ],
    ids=["open", "deep", "too deep", "long", "other types", "number", "words", "key", "keys"],
)
def test_huge_bodies_take_linear_time(stable: bytes, canary: bytes) -> None:
    """Far under what anything quadratic takes for so many bytes; a guard, not a figure."""
    one, other = (answer(200, [JSON], body, cap=2 * HUGE) for body in (stable, canary))
    started = time.process_time()
    assert places(one, other, rule("$", "set"), rule("$..x", "ignore"))
    assert time.process_time() - started < 3

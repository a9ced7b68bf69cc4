"""Patterns: what they match, what isn't one, and that matching costs no more for a long document."""

from __future__ import annotations

import pytest

from router.shadow.paths import Mark, Matcher, Name, below, parse

INDEX = Mark.INDEX


@pytest.mark.parametrize(
    ("pattern", "steps", "matches"),
    [
        ("$", [], True),
        ("$", ["a"], False),
        ("$.a", ["a"], True),
        ("$.a", ["b"], False),
        ("$.a", ["a", "b"], False),
        ("$.items[*].id", ["items", INDEX, "id"], True),
        ("$.items[*].id", ["items", "x", "id"], False),
        ("$.*.id", ["x", "id"], True),
        ("$.*.id", [INDEX, "id"], True),
        ("$..id", ["id"], True),
        ("$..id", ["a", INDEX, "b", "id"], True),
        ("$..id", ["a", "id", "b"], False),
        ("$..a.b", ["a", "a", "b"], True),
        ("$..*", ["a", INDEX], True),
        ("$..*", [], False),
        ('$["a.b"]["*"]', ["a.b", "*"], True),
        ('$["*"]', ["a"], False),
        ("$[*]", ["[*]"], False),  # a key that looks like an index
    ],
)
def test_match(pattern: str, steps: list[Name], matches: bool) -> None:
    state = Matcher([parse(pattern)]).root("$")
    for step in steps:
        state = state.step(step)
    assert bool(state.accepts) is matches


def test_all_patterns_at_once_in_order() -> None:
    state = Matcher([parse("$..id"), parse("$.x"), parse("$.*"), parse("headers.id")]).root("$").step("id")
    assert state.accepts == (0, 2)


@pytest.mark.parametrize(
    "text", ["", "a", "items[*]", "$.", "$.a.", "$[0]", "$.a b", "$[x]", '$["a]', "$a", "cookie.x"]
)
def test_not_a_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"must begin|is not a path"):
        parse(text)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "$.a"),
        ("created-at", "$.created-at"),
        ("a.b", '$["a.b"]'),
        ("", '$[""]'),
        (INDEX, "$[*]"),
        ("0af7651916cd43dd8448eb211c80319c", "$.*"),
        ("b7ad6b71-6920-3331-aaaa-bbbbbbbbbbbb", "$.*"),
        ("x " * 1000, '$["' + "x " * 39 + 'x…"]'),
    ],
)
def test_how_places_are_written(name: Name, path: str) -> None:
    assert below("$", name) == path


def test_unknown_keys_make_no_states() -> None:
    matcher = Matcher([parse("$.*.id")])
    states = {matcher.root("$").step(f"key {number}") for number in range(1000)}
    assert len(states) == 1

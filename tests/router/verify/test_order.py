"""Which cases are sent, in which order, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from router.verify.cases import Case
from router.verify.order import ordered

SESSION = {"Cookie": "session=${session}"}


def case(id: str, method: str = "GET", **fields: Any) -> Case:
    return Case(id=id, method=method, path="/", **fields)


SIGN_IN = case("sign in", "POST", writes=True, capture={"session": "cookie:session"})


@pytest.mark.parametrize(
    ("cases", "known", "reads", "rest", "skipped"),
    [
        ([case("a"), case("b", "OPTIONS"), case("c", "HEAD")], [], "abc", "", {}),
        ([case("w", "POST", writes=True), case("a")], [], "a", "w", {}),
        ([case("w", "POST")], [], "", "", {"w": "POST may write"}),
        ([case("a", headers=SESSION)], ["session"], "a", "", {}),
        ([case("a", headers=SESSION)], [], "", "", {"a": "no value for ${session}"}),
        ([case("a", capture={"x": "json:x"}), case("b", body="${x}")], [], "ab", "", {}),
        ([case("b", body="${x}"), case("a", capture={"x": "json:x"})], [], "a", "b", {}),
        ([case("w", "PUT", writes=True), case("a", after="w"), case("b")], [], "b", "wa", {}),
        ([case("w", "PUT"), case("a", after="w")], [], "", "", {"w": "PUT may write", "a": "comes after 'w'"}),
    ],
)
def test_order(cases: list[Case], known: list[str], reads: str, rest: str, skipped: dict[str, str]) -> None:
    order = ordered(cases, known)
    assert "".join(each.id for each in order.reads) == reads
    assert "".join(each.id for each in order.rest) == rest
    assert order.skipped.keys() == skipped.keys()
    for label, why in skipped.items():
        assert why in order.skipped[label]


def test_what_needs_a_session_follows_the_sign_in() -> None:
    order = ordered([case("users", headers=SESSION), SIGN_IN, case("me", headers=SESSION), case("ping")], [])
    assert [each.id for each in order.reads] == ["ping"]
    assert [each.id for each in order.rest] == ["sign in", "me"]
    assert list(order.skipped) == ["users"]

"""Examples never hold a secret, and say enough without it."""

from __future__ import annotations

import pytest

from router.shadow.answer import answer
from router.shadow.compare import compare
from router.shadow.redact import EXAMPLE, example, scrubbed
from router.shadow.rules import Rules

SECRET = "bRpnyWnhY08MmhmRhzjhfwopbjnzXfbKDES89T4BegXsveXC22"


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("name", "ada", "ada"),
        ("createdAt", "2026-11-23T06:16:28Z", "2026-11-23T06:16:28Z"),
        ("password", "ada", "‹3 hidden›"),
        ("csrfToken", "x", "‹1 hidden›"),
        ("Key", "x", "‹1 hidden›"),
        ("apiKey", "x", "‹1 hidden›"),
        ("monkey", "x", "x"),
        ("name", SECRET, "‹50 hidden›"),
        ("name", "Bearer abc", "Bearer ‹10 hidden›"),
        ("location", "/x?token=abc&y=1", "/x?token=‹3 hidden›&y=1"),
        ("name", "a long sentence without any digits in its words", "a long sentence without any digits in its words"),
    ],
)
def test_example(name: str, text: str, shown: str) -> None:
    assert example(name, text) == shown


def test_a_token_is_not_cut_out_of_sight() -> None:
    text = "x " * (EXAMPLE // 2 - 5) + SECRET
    assert SECRET[:8] not in example("name", text)


@pytest.mark.parametrize(
    ("kind", "stable", "canary"),
    [
        ("application/json", f'{{"a": "{SECRET}"}}', '{"a": 1}'),
        ("application/json", '{"token": "hush1"}', '{"token": "hush2"}'),
        ("application/json", f'{{"{SECRET}": 1}}', "{}"),
        ("application/json", f'{{"a": "{SECRET}"', f'{{"b": "{SECRET}"'),
        ("text/plain", "token: hush1", "token: hush2 "),
        ("text/html", f"<p>{SECRET}</p>", "<p></p>"),
    ],
)
def test_bodies(kind: str, stable: str, canary: str) -> None:
    one, other = (answer(200, [("content-type", kind)], body.encode()) for body in (stable, canary))
    found = compare(one, other, Rules().for_request("GET", "/"))
    assert found
    said = repr(found)
    assert SECRET[:8] not in said
    assert "hush" not in said


def test_scrubbing_json_text() -> None:
    assert scrubbed('{"session": "abc", "name": "ada"}') == '{"session": "‹3 hidden›", "name": "ada"}'

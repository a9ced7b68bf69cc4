"""What counts as a difference, and what doesn't; each recorded answer equals itself and no other of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.contract.compare import differences
from tests.contract.steps import Record, Response, Step

ANSWER = Response(
    200,
    [
        ("content-type", "application/json"),
        ("set-cookie", "csrf=abc; Expires=Tue, 24 Nov 2026 06:16:28 GMT; HttpOnly; Secure"),
        ("vary", "Cookie"),
        ("vary", "Origin"),
    ],
    '{"id": 1, "tags": ["a", "b"], "at": "now"}',
)


def with_header(name: str, value: str) -> Callable[[Response], Response]:
    def changed(answer: Response) -> Response:
        headers = [(each, value if each == name else old) for each, old in answer.headers]
        return replace(answer, headers=headers if (name, value) in headers else [*headers, (name, value)])

    return changed


def with_body(body: str) -> Callable[[Response], Response]:
    return lambda answer: replace(answer, body=body)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda answer: replace(answer, status=201), "status"),
        (with_header("content-type", "application/json; charset=UTF-8"), "content-type"),
        (with_header("allow", "GET"), "allow"),
        (with_header("access-control-allow-origin", "*"), "access-control-allow-origin"),
        (with_header("vary", "Cookie"), "vary"),
        (with_header("set-cookie", "csrf=abc; HttpOnly; Secure"), "set-cookie"),
        (with_header("set-cookie", "csrf=abc; Expires=x; HttpOnly"), "set-cookie"),
        (with_header("set-cookie", "other=abc; Expires=x; HttpOnly; Secure"), "set-cookie"),
        (with_body('{"id": 2, "tags": ["a", "b"], "at": "now"}'), "$.id"),
        (with_body('{"id": "1", "tags": ["a", "b"], "at": "now"}'), "$.id"),
        (with_body('{"tags": ["a", "b"], "at": "now"}'), "$.id"),
        (with_body('{"id": 1, "tags": ["b", "a"], "at": "now"}'), "$.tags[0]"),
        (with_body('{"id": 1, "tags": ["a"], "at": "now"}'), "$.tags"),
        (with_body('{"id": 1, "tags": ["a", "b"], "at": 5}'), "$.at"),
        (with_body('{"id": 1, "tags": ["a", "b"], "at": "now", "more": null}'), "$.more"),
        (with_body("oops"), "body isn't JSON"),
    ],
)
def test_differences_are_named(change: Callable[[Response], Response], problem: str) -> None:
    found = list(differences(ANSWER, change(ANSWER), volatile=("at",)))
    assert found
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    "change",
    [
        with_header("server", "other"),
        with_header("set-cookie", "csrf=xyz; Expires=Wed, 25 Nov 2026 06:16:28 GMT; Secure; HttpOnly"),
        lambda answer: replace(answer, headers=[*answer.headers[:2], ("vary", "Origin, Cookie")]),
        with_body('{"at": "then", "tags": ["a", "b"], "id": 1.0}'),
    ],
)
def test_what_a_browser_cannot_tell_is_equal(change: Callable[[Response], Response]) -> None:
    assert not list(differences(ANSWER, change(ANSWER), volatile=("at",)))


def test_a_set_has_no_order() -> None:
    answer, other = replace(ANSWER, body='[{"a":1},{"a":2}]'), replace(ANSWER, body='[{"a":2},{"a":1}]')
    assert list(differences(answer, other))
    assert not list(differences(answer, other, unordered=True))


@pytest.mark.parametrize("step", Record.load().steps, ids=lambda step: str(step.id))
def test_a_recorded_answer_equals_itself_and_no_changed_one(step: Step) -> None:
    answer = step.response
    assert not list(differences(answer, answer, step.volatile, step.unordered))
    assert list(differences(answer, replace(answer, status=599), step.volatile, step.unordered))
    if answer.body.strip() not in ("", "null"):
        assert list(differences(answer, replace(answer, body="null"), step.volatile, step.unordered))

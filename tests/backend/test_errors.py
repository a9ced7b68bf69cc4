"""The tree as answers: every error has a status, a label for metrics and the key that its text goes under."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from backend import errors
from backend.errors import BackendError, DatabaseBusyError, DatabaseError, HandlerError, RequestError
from backend.web import answer


def tree(root: type[BackendError] = BackendError) -> Iterator[type[BackendError]]:
    yield root
    for each in root.__subclasses__():
        yield from tree(each)


def test_every_error_can_be_answered_and_counted() -> None:
    for each in tree():
        assert 400 <= each.status < 600, each
        assert re.fullmatch(r"[a-z_]+", each.label), each
        assert each.key in ("message", "error"), each


@pytest.mark.parametrize(
    ("error", "status", "body", "retry_after"),
    [
        (RequestError(400, "no"), 400, {"message": "no"}, None),
        (HandlerError(409, "taken"), 409, {"error": "taken"}, None),
        (DatabaseBusyError("locked"), 503, {"error": "locked"}, b"1"),
        (DatabaseError("full"), 503, {"error": "full"}, b"5"),
        (errors.StartError("x"), 500, {"message": "x"}, None),
    ],
)
def test_answers(error: BackendError, status: int, body: dict[str, str], retry_after: bytes | None) -> None:
    found = answer.error(error)
    assert (found.status, json.loads(found.body)) == (status, body)
    assert dict(found.headers).get(b"retry-after") == retry_after

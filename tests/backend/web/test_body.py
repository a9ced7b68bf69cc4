"""How much of a body is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.errors import RequestError
from backend.web.body import BoundedBody, DisconnectedError


def receiving(*messages: dict[str, Any]) -> Callable[[], Awaitable[dict[str, Any]]]:
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    return receive


def part(size: int, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


GONE = {"type": "http.disconnect"}


async def test_as_much_as_allowed_passes() -> None:
    body = BoundedBody(receiving(part(6), part(4, False), GONE), 10, 10)
    assert [(await body())["type"] for _ in range(3)] == ["http.request", "http.request", "http.disconnect"]


async def test_a_longer_one_is_refused_before_and_while_reading() -> None:
    with pytest.raises(RequestError) as caught:
        BoundedBody(receiving(), 10, 11)
    assert caught.value.status == 413
    body = BoundedBody(receiving(part(6), part(5)), 10, 0)
    await body()
    with pytest.raises(RequestError):
        await body()


async def test_a_client_that_leaves_in_between() -> None:
    body = BoundedBody(receiving(part(6), GONE), 10, 0)
    await body()
    with pytest.raises(DisconnectedError):
        await body()

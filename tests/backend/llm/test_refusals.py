"""litellm's exceptions in our words."""

from __future__ import annotations

import json

import httpx
import pytest

from backend.llm.guard import BrokenStreamError
from backend.llm.refusals import message, translated


class LiteLlmError(Exception):
    def __init__(self, text: str, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status_code = status
        self.litellm_response_headers = httpx.Headers(headers) if headers is not None else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached", "Rate limit reached"),
        ('litellm.NotFoundError: AnthropicException - {"error": {"message": "no such"}}', "no such"),
        ('litellm.NotFoundError: Vertex_ai_betaException - b\'{"error": {"message": "x"}}\'', "x"),
        ("litellm.NotFoundError: Vertex_ai_betaException - b'{broken", "b'{broken"),
        ('litellm.BadRequestError: {"error": "text"}', "text"),
        ("litellm.BadRequestError: {}", "{}"),
        ("litellm.InternalServerError: AnthropicException - . Handle with `litellm.InternalServerError`.", ""),
        ("litellm.UnsupportedParamsError: no x. To drop these, set `litellm.drop_params=True`", "no x"),
        ("no names", "no names"),
        ("", ""),
        ("x" * 3000, "x" * 2000),
    ],
)
def test_message(text: str, expected: str) -> None:
    assert message(text) == expected


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (400, 400),
        (401, 401),
        (403, 401),
        (404, 400),
        (408, 504),
        (413, 400),
        (422, 400),
        (429, 429),
        (500, 502),
        (503, 502),
        (504, 504),
        (529, 502),
    ],
)
def test_status(status: int, ours: int) -> None:
    found = translated(LiteLlmError("litellm.BadRequestError: XException - text", status))
    assert (found.status, str(found), found.label) == (ours, "text", str(status))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 1),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({}, None),
        (None, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_retry_after(headers: dict[str, str] | None, expected: int | None) -> None:
    assert translated(LiteLlmError("x", 429, headers)).retry_after == expected


@pytest.mark.parametrize(
    ("cause", "status", "label", "text"),
    [
        (httpx.ReadTimeout("late"), 504, "timeout", "didn't answer in time"),
        (httpx.ReadError(""), 502, "connection", "failed: ReadError"),
        (BrokenStreamError("half"), 502, "answer", "broke off: half"),
        (json.JSONDecodeError("bad", "", 0), 502, "answer", "isn't JSON"),
    ],
)
def test_cause_counts_more_than_the_status_that_litellm_made_up(
    cause: Exception, status: int, label: str, text: str
) -> None:
    try:
        try:
            raise cause
        except Exception:
            raise LiteLlmError("litellm.InternalServerError: X", 500)  # noqa: B904  as litellm does
    except LiteLlmError as error:
        found = translated(error)
    assert (found.status, found.label) == (status, label)
    assert text in str(found)


def test_a_fallback_error_stands_for_the_one_inside() -> None:
    outer = LiteLlmError("litellm.MidStreamFallbackError: …", 500)
    outer.original_exception = LiteLlmError("litellm.RateLimitError: slow", 429, {"retry-after": "3"})  # type: ignore[attr-defined]
    found = translated(outer)
    assert (found.status, str(found), found.retry_after) == (429, "slow", 3)

"""The pure shapes of the native providers: what the record doesn't show, as Go's encoding rules have it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.llm.native.anthropic import ANTHROPIC
from backend.llm.native.gemini import GEMINI
from backend.llm.native.openai import OPENAI
from backend.llm.native.provider import Provider
from backend.web.gojson import decode, unmarshal

MESSAGES = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]


def sent(provider: Provider, request: dict[str, Any]) -> Any:
    fields = decode(json.dumps(request).encode(), provider.request)
    return provider.call(fields, "http://base", "key").body


@pytest.mark.parametrize(
    ("provider", "request_", "body"),
    [
        # A number or flag that was given is sent, even if it is Go's zero value; an empty list or text isn't.
        (
            OPENAI,
            {"temperature": 0, "max_tokens": 0, "stop": [], "reasoning_effort": ""},
            {"temperature": 0, "max_tokens": 0, "reasoning_effort": ""},
        ),
        (
            OPENAI,
            {"response_format": {"type": "text", "json_schema": {"name": "s"}}},
            {"response_format": {"type": "text"}},
        ),
        (OPENAI, {"response_format": {"type": "xml"}}, {}),
        (
            OPENAI,
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "", "strict": None, "schema": None}}},
        ),
        (ANTHROPIC, {"max_tokens": 0, "top_k": 0, "system": ""}, {"max_tokens": 4096, "top_k": 0}),
        (ANTHROPIC, {"thinking": {}}, {"max_tokens": 4096, "thinking": {"type": "", "budget_tokens": 0}}),
        (ANTHROPIC, {"jsonMode": False, "stop_sequences": []}, {"max_tokens": 4096}),
    ],
)
def test_sent_with_messages(provider: Provider, request_: dict[str, Any], body: dict[str, Any]) -> None:
    asked = {"model": "m", "messages": MESSAGES}
    assert sent(provider, asked | request_) == asked | body


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        ({"generationConfig": {}}, {"generationConfig": {}}),
        (
            {"generationConfig": {"topK": 0, "stopSequences": [], "responseMimeType": "", "response_json_schema": {}}},
            {"generationConfig": {"topK": 0}},
        ),
        (
            {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}},
            {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}},
        ),
        ({"system_instruction": {}}, {"system_instruction": {"parts": None}}),
        ({"contents": [{"parts": []}]}, {"contents": [{"parts": []}]}),
        ({"contents": [{"role": "", "parts": None}]}, {"contents": [{"parts": None}]}),
    ],
)
def test_sent_to_gemini(request_: dict[str, Any], body: dict[str, Any]) -> None:
    assert sent(GEMINI, {"model": "m", "contents": CONTENTS} | request_) == {"contents": CONTENTS} | body


def test_no_model_moves_the_key() -> None:
    fields = decode(b'{"model": "m?x=1#y", "contents": [{}]}', GEMINI.request)
    assert GEMINI.call(fields, "http://base", "a&b").url == (
        "http://base/v1beta/models/m%3Fx%3D1%23y:generateContent?key=a%26b"
    )


@pytest.mark.parametrize(
    ("provider", "answered", "answer"),
    [
        (
            OPENAI,
            {"choices": [{"message": {"content": None}, "finish_reason": None}]},
            {
                "id": "",
                "object": "",
                "created": 0,
                "model": "",
                "choices": [{"index": 0, "message": {"role": "", "content": ""}, "finish_reason": ""}],
                "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
            },
        ),
        (
            ANTHROPIC,
            {"content": [{"type": "text", "text": ""}, {"type": "tool_use", "input": {}}], "stop_sequence": "z"},
            {
                "id": "",
                "type": "",
                "role": "",
                "content": [{"type": "text"}, {"type": "tool_use"}],
                "model": "",
                "stop_reason": "",
                "stop_sequence": "z",
                "usage": {"input_tokens": 0, "output_tokens": 0},
            },
        ),
        (GEMINI, {}, {"candidates": None}),
        (
            GEMINI,
            {"candidates": [{"content": {}}], "usageMetadata": {}},
            {
                "candidates": [{"content": {"parts": None}, "index": 0}],
                "usageMetadata": {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0},
            },
        ),
    ],
)
def test_answers(provider: Provider, answered: dict[str, Any], answer: dict[str, Any]) -> None:
    assert provider.answer(unmarshal(json.dumps(answered).encode(), provider.response)) == answer


@pytest.mark.parametrize(
    ("provider", "listing", "models"),
    [
        (OPENAI, {"data": [{"id": "gpt"}, {"id": "o3"}, {"id": "gpt-4:ft-x"}]}, []),
        (
            OPENAI,
            {"data": [{"id": "gpt-5", "created": -1}]},
            [{"id": "gpt-5", "name": "gpt-5", "provider": "openai", "metadata": {"owned_by": ""}}],
        ),
        (ANTHROPIC, {"data": [{"id": "c"}]}, [{"id": "c", "name": "c", "provider": "anthropic"}]),
        (ANTHROPIC, {}, []),
        (GEMINI, {"models": [{"name": "models/", "supportedGenerationMethods": None}]}, []),
        (
            GEMINI,
            {"models": [{"name": "models/", "supportedGenerationMethods": ["generateContent"]}]},
            [{"id": "models/", "name": "", "provider": "gemini"}],
        ),
        (
            GEMINI,
            {"models": [{"name": "tuned/x", "supportedGenerationMethods": ["generateContent"]}]},
            [{"id": "tuned/x", "name": "", "provider": "gemini"}],
        ),
    ],
)
def test_listings(provider: Provider, listing: dict[str, Any], models: list[dict[str, Any]]) -> None:
    assert provider.models(decode(json.dumps(listing).encode(), provider.listing)) == models

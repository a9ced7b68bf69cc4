"""Requests to /llm/generate: which are read, and what is said of the others; which provider a model goes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.llm import chat
from backend.llm.target import Target, target

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, {}),
        ({"temperature": 1, "top_p": 0, "max_tokens": 1}, {"temperature": 1, "top_p": 0, "max_tokens": 1}),
        ({"temperature": None, "stop": None, "response_format": None}, {}),
        ({"stop": "a"}, {"stop": "a"}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stream": True, "stream_options": {"include_usage": True}, "user": "u", "provider": "openai"}, {}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}},
        ),
    ],
)
def test_read(fields: dict[str, Any], parameters: dict[str, Any]) -> None:
    asked = chat.read(json.dumps(ASKED | fields).encode())
    assert asked.parameters() == {"messages": ASKED["messages"]} | parameters


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": ""}, "model: "),
        ({"model": "a b"}, "model: "),
        ({"messages": []}, "messages: "),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: "),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": []}]}, "messages.0.tool_calls: isn't supported"),
        ({"temperature": 2.1}, "temperature: "),
        ({"temperature": "1"}, "temperature: "),
        ({"temperature": True}, "temperature: "),
        ({"top_p": 1.1}, "top_p: "),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"reasoning_effort": "huge"}, "reasoning_effort: "),
        ({"response_format": {"type": "json_schema"}}, "json_schema: Field required"),
        ({"response_format": {"type": "xml"}}, "response_format: "),
        ({"n": 2}, "n: isn't supported here"),
        ({"tools": []}, "tools: isn't supported here"),
    ],
)
def test_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as refused:
        chat.read(json.dumps(ASKED | fields).encode())
    assert text in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model": "\xff"}'])
def test_not_a_request(body: bytes) -> None:
    with pytest.raises(ValueError):
        chat.read(body)


KNOWN = ("openai", "anthropic", "gemini", "groq")


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("gpt-4o", None, Target("openai", "gpt-4o")),
        ("o3-mini", None, Target("openai", "o3-mini")),
        ("claude-sonnet-4", None, Target("anthropic", "claude-sonnet-4")),
        ("gemini-2.5-flash", None, Target("gemini", "gemini-2.5-flash")),  # litellm would say vertex_ai
        ("groq/llama3", None, Target("groq", "llama3")),
        ("groq/meta/llama3", None, Target("groq", "meta/llama3")),
        ("gpt-4o", "groq", Target("groq", "gpt-4o")),
        ("openai/gpt-4o", "openai", Target("openai", "gpt-4o")),
        ("openai/gpt-oss", "groq", Target("groq", "openai/gpt-oss")),
        ("gpt-4o", "acme", None),
        ("guessed", None, Target("groq", "guessed")),
        ("acme/x", None, None),
    ],
)
def test_target(model: str, provider: str | None, expected: Target | None) -> None:
    assert target(model, provider, KNOWN, lambda name: "groq" if name == "guessed" else None) == expected

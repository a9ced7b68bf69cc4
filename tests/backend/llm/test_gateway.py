"""/llm/generate of a real backend process before stand-in providers: what arrives there, and what comes back."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import openai
import pytest

from tests.backend.llm.conftest import KEYS, MODELS, Playground, cookies
from tests.faults.processes import resident
from tests.standins import provider_streams as streams
from tests.standins.providers import Exchange

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROVIDERS = tuple(MODELS)
SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "number"}},
    "required": ["x"],
    "additionalProperties": False,
}


def whole(provider: str, text: str) -> dict[str, Any]:
    """A whole answer in a provider's words: 7 tokens in, 3 out."""
    if provider == "openai":
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1760000000,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }
    if provider == "anthropic":
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": MODELS["anthropic"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 7, "output_tokens": 3},
        }
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
        "modelVersion": MODELS["gemini"],
    }


def asking(model: str, **options: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **options}


async def ask(playground: Playground, model: str, **options: Any) -> httpx.Response:
    return await playground.client.post("/llm/generate", json=asking(model, **options))


def answering(playground: Playground, provider: str, text: str = "hello") -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(200, whole(provider, text))

    playground.providers.scripts[MODELS[provider]] = script


async def test_first_call_loads_litellm_beside_the_loop(playground: Playground) -> None:
    """Must stay the first test of this module: it measures a backend that nobody has asked yet."""
    before = resident(playground.backend.process.pid)
    assert before < 150 * 2**20  # the goal is 120 MB, docs/performance.md has the figure
    answering(playground, "openai")
    asking_first = asyncio.create_task(ask(playground, MODELS["openai"]))
    pings = []
    while not asking_first.done():
        began = time.monotonic()
        assert (await playground.client.get("/ping")).text == "pong"
        pings.append(time.monotonic() - began)
    first = await asking_first
    assert first.status_code == 200, first.text
    assert max(pings) < sum(pings) / 4, "the loop stood still while litellm was loaded"
    assert resident(playground.backend.process.pid) > before + 50 * 2**20, "then what was measured isn't litellm"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_whole_answer(playground: Playground, provider: str) -> None:
    answering(playground, provider, "Hello <b> – ü")
    got = (await ask(playground, MODELS[provider])).json()
    assert got["object"] == "chat.completion"
    assert got["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Hello <b> – ü"}, "finish_reason": "stop"}
    ]
    usage = got["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 3, 10)
    assert usage["cost"] > 0
    assert sorted(got) == ["choices", "created", "id", "model", "object", "usage"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_key_goes_in_a_header_to_the_right_place(playground: Playground, provider: str) -> None:
    answering(playground, provider)
    await ask(playground, MODELS[provider])
    sent = playground.providers.seen[-1]
    headers = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}
    assert sent.headers[headers[provider]].removeprefix("Bearer ") == KEYS[provider]
    assert KEYS[provider] not in sent.target
    paths = {
        "openai": "/openai/v1/chat/completions",
        "anthropic": "/anthropic/v1/messages",
        "gemini": "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
    }
    assert sent.target == paths[provider]


OPTIONS = {"temperature": 0.5, "max_tokens": 5, "top_p": 0.25, "stop": ["z"]}


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("openai", OPTIONS),
        ("anthropic", {"temperature": 0.5, "max_tokens": 5, "top_p": 0.25, "stop_sequences": ["z"]}),
        ("gemini", {"temperature": 0.5, "max_output_tokens": 5, "top_p": 0.25, "stop_sequences": ["z"]}),
    ],
)
async def test_options(playground: Playground, provider: str, expected: dict[str, Any]) -> None:
    answering(playground, provider)
    assert (await ask(playground, MODELS[provider], **OPTIONS)).status_code == 200
    body = playground.providers.seen[-1].body
    found = body["generationConfig"] if provider == "gemini" else body
    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("provider", "place"),
    [
        ("openai", ("response_format", "json_schema", "schema")),
        ("anthropic", ("tools", 0, "input_schema")),
        ("gemini", ("generationConfig", "response_json_schema")),
    ],
)
async def test_json_schema_reaches_the_provider(playground: Playground, provider: str, place: tuple[Any, ...]) -> None:
    answering(playground, provider, '{"x": 1}')
    form = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": SCHEMA}}
    got = await ask(playground, MODELS[provider], response_format=form)
    assert json.loads(got.json()["choices"][0]["message"]["content"]) == {"x": 1}
    found = playground.providers.seen[-1].body
    for key in place:
        found = found[key]
    assert {name: found[name] for name in ("type", "properties", "required")} == {
        name: SCHEMA[name] for name in ("type", "properties", "required")
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", {"reasoning_effort": "low"}),
        (MODELS["anthropic"], {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (
            MODELS["gemini"],
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True}}},
        ),
    ],
)
async def test_reasoning(playground: Playground, model: str, expected: dict[str, Any]) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(400, {"error": {"message": "seen"}})

    playground.providers.scripts[model] = script
    await ask(playground, model, reasoning_effort="low")
    assert expected.items() <= playground.providers.seen[-1].body.items()


async def test_what_a_model_cannot_do_is_said(playground: Playground) -> None:
    got = await ask(playground, MODELS["openai"], reasoning_effort="low")
    assert got.status_code == 400
    text = got.json()["error"]["message"]
    assert text == "openai does not support parameters: ['reasoning_effort'], for model=gpt-4o"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_provider_by_name_and_by_prefix(playground: Playground, provider: str) -> None:
    answering(playground, provider)
    playground.providers.scripts["own-model"] = playground.providers.scripts[MODELS[provider]]
    assert (await ask(playground, "own-model", provider=provider)).status_code == 200
    assert (await ask(playground, f"{provider}/own-model")).status_code == 200
    assert {exchange.model for exchange in playground.providers.seen[-2:]} == {"own-model"}


@pytest.mark.parametrize(
    ("model", "options", "status", "text"),
    [
        ("nonsense", {}, 400, "nobody is known for 'nonsense'"),
        ("m", {"provider": "acme"}, 400, "provider 'acme' isn't known"),
        ("groq/llama3", {}, 503, "GROQ_API_KEY isn't set"),
        ("gpt-4o", {"tools": []}, 400, "tools: isn't supported here"),
        ("gpt-4o", {"temperature": 3}, 400, "temperature: "),
    ],
)
async def test_refused_here(
    playground: Playground, model: str, options: dict[str, Any], status: int, text: str
) -> None:
    got = await ask(playground, model, **options)
    assert got.status_code == status
    assert text in got.json()["error"]["message"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_stream(playground: Playground, provider: str) -> None:
    playground.providers.scripts["streamed"] = streams.BY_PROVIDER[provider](["a", "ü", "c"])
    got = await ask(playground, "streamed", provider=provider, stream=True)
    assert got.status_code == 200
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = [line.removeprefix("data: ") for line in got.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": "a"}
    assert "".join(delta.get("content", "") for delta in deltas) == "aüc"
    assert [c["finish_reason"] for chunk in chunks for c in chunk["choices"]][-1] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens"] == streams.TOKENS_IN
    assert chunks[-1]["usage"]["completion_tokens"] == streams.TOKENS_OUT


async def test_openai_client_library(playground: Playground) -> None:
    """The library only has its base address and the session changed."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies().items())}
    answering(playground, "anthropic", "hello")
    playground.providers.scripts["slowed"] = streams.gemini(["a", "b"])

    async with openai.AsyncOpenAI(
        base_url=f"{playground.backend.url}/llm", api_key="unused", default_headers=headers, max_retries=0
    ) as client:
        completion = await client.chat.completions.create(**asking(MODELS["anthropic"]))
        assert completion.choices[0].message.content == "hello"
        assert completion.usage is not None
        assert completion.usage.total_tokens == 10
        streamed = await client.chat.completions.create(**asking("gemini/slowed"), stream=True)
        chunks = [chunk async for chunk in streamed]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "ab"
        assert chunks[-1].usage is not None

        async def limited(exchange: Exchange) -> None:
            await exchange.answer(429, {"error": {"message": "slow down"}}, {"retry-after": "7"})

        playground.providers.scripts["limited"] = limited
        with pytest.raises(openai.RateLimitError, match="slow down") as caught:
            await client.chat.completions.create(**asking("openai/limited"))
        assert caught.value.response.headers["retry-after"] == "7"

        async def broken(exchange: Exchange) -> None:
            await exchange.begin()
            await exchange.event(streams.openai_chunk([{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]))
            await exchange.end()

        playground.providers.scripts["broken"] = broken
        with pytest.raises(openai.APIError, match="ended before the answer was whole"):
            async for _ in await client.chat.completions.create(**asking("openai/broken"), stream=True):
                pass

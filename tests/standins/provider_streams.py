"""Streamed answers in each provider's own words, as scripts for tests/standins/providers.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.standins.providers import Exchange

#: Called with the number of each piece before it is sent.
Before = Callable[[int], Awaitable[None]]

TOKENS_IN, TOKENS_OUT = 7, 3


async def at_once(number: int) -> None:
    """Don't wait."""


def openai(pieces: list[str], before: Before = at_once) -> Callable[[Exchange], Awaitable[None]]:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        async for number, piece in _paced(pieces, before):
            delta = {"role": "assistant", "content": piece} if number == 0 else {"content": piece}
            await exchange.event(openai_chunk([{"index": 0, "delta": delta, "finish_reason": None}]))
        await exchange.event(openai_chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        total = TOKENS_IN + TOKENS_OUT
        usage = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": total}
        await exchange.event(openai_chunk([]) | {"usage": usage})
        await exchange.event("[DONE]")
        await exchange.end()

    return script


def anthropic(pieces: list[str], before: Before = at_once) -> Callable[[Exchange], Awaitable[None]]:
    async def script(exchange: Exchange) -> None:
        async def event(kind: str, **data: Any) -> None:
            await exchange.event({"type": kind, **data}, kind)

        await exchange.begin()
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": exchange.model, "content": []}
        await event("message_start", message=message | {"usage": {"input_tokens": TOKENS_IN, "output_tokens": 1}})
        await event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        async for _, piece in _paced(pieces, before):
            await event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        await event("content_block_stop", index=0)
        ended = {"stop_reason": "end_turn", "stop_sequence": None}
        await event("message_delta", delta=ended, usage={"output_tokens": TOKENS_OUT})
        await event("message_stop")
        await exchange.end()

    return script


def gemini(pieces: list[str], before: Before = at_once) -> Callable[[Exchange], Awaitable[None]]:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        async for number, piece in _paced(pieces, before):
            candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [{"text": piece}]}}
            event: dict[str, Any] = {"candidates": [candidate], "modelVersion": exchange.model}
            if number == len(pieces) - 1:
                candidate["finishReason"] = "STOP"
                total = TOKENS_IN + TOKENS_OUT
                counts = {"promptTokenCount": TOKENS_IN, "candidatesTokenCount": TOKENS_OUT, "totalTokenCount": total}
                event["usageMetadata"] = counts
            await exchange.event(event)
        await exchange.end()

    return script


BY_PROVIDER = {"openai": openai, "anthropic": anthropic, "gemini": gemini}


def openai_chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """An event of OpenAI's stream."""
    return {
        "id": "chatcmpl-9",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
    }


async def _paced(pieces: list[str], before: Before) -> AsyncIterator[tuple[int, str]]:
    for number, piece in enumerate(pieces):
        await before(number)
        yield number, piece

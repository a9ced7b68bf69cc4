"""Providers that hang, reset, stop short, limit or talk nonsense: each a clear error, and no key anywhere.

The last test of the module looks for the keys in all that the others made the backend say.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.backend.llm.conftest import KEYS, MODELS, SILENCE, Playground
from tests.standins import provider_streams as streams
from tests.standins.providers import Exchange

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROVIDERS = tuple(MODELS)
Script = Callable[[Exchange], Awaitable[None]]

#: Everything that clients were told in this module.
told: list[str] = []


async def hangs(exchange: Exchange) -> None:
    await exchange.gone.wait()


async def resets(exchange: Exchange) -> None:
    exchange.reset()


async def closes(exchange: Exchange) -> None:
    exchange.writer.close()


async def sends_half(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk('data: {"id": "x", "cho')
    exchange.reset()


async def ends_in_an_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk('data: {"id": "x", "cho')
    await exchange.end()


async def sends_html(exchange: Exchange) -> None:
    await exchange.answer(200, "<html>not json</html>", {"content-type": "text/html"})


async def sends_a_bad_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event('{"id": nope}')
    await exchange.end()


async def overloads(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")
    await exchange.end()


def refuses(status: int, text: str = "no, {key}") -> Script:
    """Echoes the key that it was sent, wherever that stood."""

    async def script(exchange: Exchange) -> None:
        sent = json.dumps(dict(exchange.headers)) + exchange.target
        (key,) = (key for key in KEYS.values() if key in sent)
        error = {"error": {"message": text.format(key=key), "type": "x", "code": status}}
        await exchange.answer(status, error, {"retry-after": "7"})

    return script


CASES: list[tuple[str, Script, bool | None, int, str]] = [
    # name, what the provider does, streamed or not or both, our status, what a client is told
    ("hangs", hangs, None, 504, f"the provider sent nothing for {SILENCE:g} s"),
    ("resets", resets, None, 502, "the connection to the provider failed: "),
    ("closes", closes, None, 502, "the connection to the provider failed: Server disconnected"),
    ("half an event, then a reset", sends_half, None, 502, "the connection to the provider failed: "),
    ("half an event, then an end", ends_in_an_event, True, 502, "broke off: an event of the stream isn't JSON"),
    ("a bad event", sends_a_bad_event, True, 502, "broke off: an event of the stream isn't JSON"),
    ("an error in the stream", overloads, True, 502, "broke off: Overloaded"),
    ("HTML", sends_html, False, 502, ""),
    ("HTML", sends_html, True, 502, "broke off: it isn't a stream of events but text/html"),
    ("401", refuses(401), None, 401, "no, "),
    ("403", refuses(403), None, 401, "no, "),
    ("400", refuses(400), None, 400, "no, "),
    ("404", refuses(404), None, 400, "no, "),
    ("429", refuses(429), None, 429, "no, "),
    ("500", refuses(500), None, 502, "no, "),
    ("503", refuses(503), None, 502, "no, "),
    ("529", refuses(529), None, 502, "no, "),
]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("script", "streamed", "status", "text"),
    [
        pytest.param(script, streamed, status, text, id=f"{name}, {'streamed' if streamed else 'whole'}")
        for name, script, only, status, text in CASES
        for streamed in ((False, True) if only is None else (only,))
    ],
)
async def test_generate(
    playground: Playground, provider: str, script: Script, streamed: bool, status: int, text: str
) -> None:
    playground.providers.scripts["fault"] = script
    before = len(playground.providers.seen)
    body = {"model": f"{provider}/fault", "messages": [{"role": "user", "content": "hi"}], "stream": streamed}
    got = await playground.client.post("/llm/generate", json=body)
    told.append(got.text + str(got.headers))
    assert got.status_code == status, got.text
    error = got.json()["error"]
    assert text in error["message"]
    assert error["code"] == status
    assert got.headers.get("retry-after") == ("7" if status == 429 else None)
    assert len(error["message"]) < 200
    assert len(playground.providers.seen) == before + 1, "a call that is made again may cost twice"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_error_after_the_first_piece_ends_the_stream(playground: Playground, provider: str) -> None:
    async def breaks(number: int) -> None:
        if number == 1:
            raise ConnectionError

    playground.providers.scripts["fault"] = streams.BY_PROVIDER[provider](["a", "b"], breaks)
    body = {"model": f"{provider}/fault", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    got = await playground.client.post("/llm/generate", json=body)
    told.append(got.text)
    assert got.status_code == 200
    *_, last = got.text.strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == 502
    assert "[DONE]" not in got.text
    assert '"content":"a"' in got.text


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_clean_end_too_early_is_an_error(playground: Playground, provider: str) -> None:
    async def short(exchange: Exchange) -> None:
        async def stop(number: int) -> None:
            if number == 1:
                await exchange.end()
                raise ConnectionError

        await streams.BY_PROVIDER[provider](["a", "b"], stop)(exchange)

    playground.providers.scripts["fault"] = short
    body = {"model": f"{provider}/fault", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    got = await playground.client.post("/llm/generate", json=body)
    assert "the stream ended before the answer was whole" in got.text


NATIVE: list[tuple[str, Script, dict[str, int], str]] = [
    ("hangs", hangs, dict.fromkeys(PROVIDERS, 504), f"the provider sent nothing for {SILENCE:g} s"),
    ("resets", resets, dict.fromkeys(PROVIDERS, 500), "broke off before its answer was whole"),
    ("HTML", sends_html, dict.fromkeys(PROVIDERS, 500), "invalid character '<' looking for beginning of value"),
    ("429", refuses(429), dict.fromkeys(PROVIDERS, 500), '"message": "no, ***"'),
    (
        "a bad key",
        refuses(401, "bad api key {key}"),
        {"openai": 503, "anthropic": 503, "gemini": 500},
        '"message": "bad api key ***"',
    ),
]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("script", "statuses", "text"), [pytest.param(*case[1:], id=case[0]) for case in NATIVE])
async def test_native(
    playground: Playground, provider: str, script: Script, statuses: dict[str, int], text: str
) -> None:
    playground.providers.scripts["fault"] = script
    contents: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    messages = {"messages": [{"role": "user", "content": "hi"}]}
    body = {"model": "fault", **(contents if provider == "gemini" else messages)}
    got = await playground.client.post(f"/llm/{provider}/generate", json=body)
    told.append(got.text + str(got.headers))
    assert got.status_code == statuses[provider]
    assert text in got.json()["error"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_model_lists(playground: Playground, provider: str) -> None:
    path = f"/llm/providers/{provider}/models"
    for script in (refuses(401), sends_html, resets):
        playground.providers.scripts[""] = script
        refreshed = await playground.client.post(f"{path}/refresh")
        told.append(refreshed.text)
        assert refreshed.status_code == 500
        assert refreshed.json()["error"].startswith("Failed to refresh models: ")
        listed = await playground.client.get(path)
        told.append(listed.text)
        assert len(listed.json()["models"]) == 5, "the built-in list"


async def test_no_key_is_anywhere(playground: Playground) -> None:
    """Must stay the last test of this module."""
    metrics = (await playground.client.get("/metrics")).text
    logs = json.dumps(playground.backend.lines)
    assert "gen_ai_client_operation_duration_seconds" in metrics
    assert "the provider sent nothing" in logs
    assert "***" in logs
    assert len(told) > 100
    said = "\n".join((metrics, logs, *told))
    for provider, key in KEYS.items():
        assert key not in said, provider
        assert key[6:] not in said, provider

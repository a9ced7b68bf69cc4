"""Model lists: cache, provider, built-in; one fetch for all that ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import respx
from prometheus_client import CollectorRegistry

from backend.config import Settings
from backend.llm import models as module
from backend.llm.errors import ProviderError
from backend.llm.keys import Keys
from backend.llm.metrics import LlmMetrics
from backend.llm.models import FRESH, Models
from backend.llm.native.openai import OPENAI
from backend.llm.playground import PROVIDERS
from backend.llm.upstream import Upstream

KEY = "sk-of-the-test"
URL = "https://api.openai.com/v1/models"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def listing(*names: str) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": name} for name in names]})


def ids(models: list[dict[str, object]]) -> list[object]:
    return [model["id"] for model in models]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def models(clock: Clock, registry: CollectorRegistry) -> AsyncIterator[Models]:
    settings = Settings.model_validate({"JUNJO_SESSION_SECRET": "x", "OPENAI_API_KEY": KEY})
    async with Upstream(httpx.create_ssl_context(), 5) as upstream:
        yield Models(upstream, Keys(settings), LlmMetrics(registry), clock)


BUILT_IN = ["gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "gpt-4", "gpt-3.5-turbo"]


async def test_a_list_is_kept_for_a_while(models: Models, clock: Clock, respx_mock: respx.MockRouter) -> None:
    route = respx_mock.get(URL).mock(side_effect=[listing("gpt-a"), listing("gpt-b")])
    assert ids(await models.of(OPENAI)) == ["gpt-a"]
    clock.now += FRESH
    assert ids(await models.of(OPENAI)) == ["gpt-a"]
    assert route.call_count == 1
    clock.now += 1
    assert ids(await models.of(OPENAI)) == ["gpt-b"]


async def test_refresh_fetches_in_spite_of_the_cache(models: Models, respx_mock: respx.MockRouter) -> None:
    respx_mock.get(URL).mock(side_effect=[listing("gpt-a"), listing("gpt-b")])
    await models.of(OPENAI)
    assert ids(await models.refresh(OPENAI)) == ["gpt-b"]
    assert ids(await models.of(OPENAI)) == ["gpt-b"]


async def test_a_refreshed_empty_list_stays_empty(models: Models, respx_mock: respx.MockRouter) -> None:
    """As the Go backend has it; an empty list that nobody asked to refresh is replaced by the built-in one."""
    respx_mock.get(URL).mock(return_value=listing())
    assert ids(await models.of(OPENAI)) == BUILT_IN
    assert await models.refresh(OPENAI) == []
    assert await models.of(OPENAI) == []


async def test_one_fetch_serves_all_that_ask_at_once(models: Models, respx_mock: respx.MockRouter) -> None:
    answers = asyncio.Event()

    async def late(request: httpx.Request) -> httpx.Response:
        await answers.wait()
        return listing("gpt-a")

    route = respx_mock.get(URL).mock(side_effect=late)
    asking = [asyncio.create_task(models.of(OPENAI)) for _ in range(20)]
    asking.append(asyncio.create_task(models.refresh(OPENAI)))
    await asyncio.sleep(0)  # each runs up to the fetch
    asking[0].cancel()  # the one that began it leaves
    await asyncio.sleep(0)
    answers.set()
    assert [ids(await each) for each in asking[1:]] == [["gpt-a"]] * 20
    assert route.call_count == 1
    assert asking[0].cancelled()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.Response(401, text=f"no {KEY}"), "openai API error (401): no ***"),
        (httpx.Response(200, text="<html>"), "failed to parse OpenAI models response: invalid character '<'"),
        (
            httpx.Response(200, text='{"data": 1}'),
            "failed to parse OpenAI models response: json: cannot unmarshal number",
        ),
        (httpx.ConnectError("refused"), "failed to fetch OpenAI models: the provider can't be reached: refused"),
    ],
)
async def test_failures(
    models: Models, respx_mock: respx.MockRouter, answer: httpx.Response | Exception, text: str
) -> None:
    respx_mock.get(URL).mock(side_effect=[answer, answer])
    with pytest.raises(ProviderError) as failed:
        await models.refresh(OPENAI)
    assert str(failed.value).startswith(text)
    assert ids(await models.of(OPENAI)) == BUILT_IN


async def test_a_provider_that_hangs(
    models: Models, respx_mock: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    respx_mock.get(URL).mock(side_effect=hang)
    with pytest.raises(ProviderError, match="no answer within"):
        await models.refresh(OPENAI)


async def test_without_a_key_nobody_is_asked(clock: Clock, respx_mock: respx.MockRouter) -> None:
    settings = Settings.model_validate({"JUNJO_SESSION_SECRET": "x"})
    async with Upstream(httpx.create_ssl_context(), 5) as upstream:
        models = Models(upstream, Keys(settings), LlmMetrics(CollectorRegistry()), clock)
        assert ids(await models.of(OPENAI)) == BUILT_IN
        with pytest.raises(ProviderError, match="OPENAI_API_KEY environment variable not set"):
            await models.refresh(OPENAI)
        assert len(models.built_in(PROVIDERS)) == 15


async def test_sources_are_counted(models: Models, registry: CollectorRegistry, respx_mock: respx.MockRouter) -> None:
    respx_mock.get(URL).mock(side_effect=[httpx.Response(500), listing("gpt-a")])
    for _ in range(3):
        await models.of(OPENAI)
    found = {
        source: registry.get_sample_value(
            "backend_llm_model_lists_total", {"gen_ai_provider_name": "openai", "source": source}
        )
        for source in ("built_in", "provider", "cache")
    }
    assert found == {"built_in": 1, "provider": 1, "cache": 1}

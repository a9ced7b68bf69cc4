"""Streams through the real router and a real backend, in step with the provider: it sends a piece only once the client
has the one before, so a piece that is held back or joined with the next stops the test instead of slowing it.

Run with ``-s`` to see how many milliseconds a piece takes from the provider's write to the client's read.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.backend.llm.conftest import MODELS, client_of
from tests.backend.processes import HANG, BackendProcess
from tests.faults.router import Router
from tests.standins import provider_streams as streams
from tests.standins.providers import Exchange, Providers

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROVIDERS = tuple(MODELS)
#: Guard for the first request, which imports litellm: most of a minute on a busy machine.
LOADING = 100.0
#: Within this the provider must have noticed that the client left.
NOTICED = 1.0
#: The router gives a client that closed its sending side this long to get an answer; before that it may be reading.
HALF_CLOSE = "[timeouts]\nhalf_close = 0.5\n"


@pytest.fixture(scope="module")
def silence() -> float:
    return HANG


@pytest.fixture(scope="module")
def router(llm_backend: BackendProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder: Path = tmp_path_factory.mktemp("router")
    router = Router(folder, llm_backend, llm_backend, HALF_CLOSE, workers=1)
    try:
        router.start()
        yield router
    finally:
        router.end()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(llm_backend: BackendProcess, router: Router, providers: Providers) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the router; litellm is loaded already, past the router, whose timers that may exceed."""
    async with client_of(llm_backend.url) as direct:
        for provider in PROVIDERS:
            providers.scripts["warm"] = streams.BY_PROVIDER[provider](["a"])
            got = await direct.post("/llm/generate", json=asking(provider, "warm"), timeout=LOADING)
            assert "[DONE]" in got.text, got.text
    async with client_of(f"http://127.0.0.1:{router.port}") as client:
        yield client


def asking(provider: str, model: str, stream: bool = True) -> dict[str, Any]:
    return {"model": f"{provider}/{model}", "messages": [{"role": "user", "content": "hi"}], "stream": stream}


@asynccontextmanager
async def pieces_of(client: httpx.AsyncClient, provider: str, model: str) -> AsyncIterator[AsyncIterator[str]]:
    """The text of each piece of a stream, as it comes."""
    async with client.stream("POST", "/llm/generate", json=asking(provider, model)) as response:
        assert response.status_code == 200

        async def texts() -> AsyncGenerator[str, None]:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        if text := choice["delta"].get("content"):
                            yield text

        async with aclosing(texts()) as found:
            yield found


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_each_piece_arrives_before_the_next_is_sent(
    client: httpx.AsyncClient, providers: Providers, provider: str
) -> None:
    words = [f"piece{number} " for number in range(20)]
    may_send: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
    sent_at: list[float] = []

    async def before(number: int) -> None:
        await may_send[number].wait()
        sent_at.append(time.perf_counter())

    providers.scripts["steps"] = streams.BY_PROVIDER[provider](words, before)
    took = []
    may_send[0].set()
    async with asyncio.timeout(HANG), pieces_of(client, provider, "steps") as pieces:
        async for piece in pieces:
            took.append(time.perf_counter() - sent_at[-1])
            assert piece == words[len(took) - 1]
            may_send[len(took)].set()
    assert len(took) == len(words)
    print(
        f"\n{provider}: first piece {took[0] * 1000:.1f} ms after the provider's write,"
        f" median {statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms"
    )


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_leaving_a_stream_reaches_the_provider(
    client: httpx.AsyncClient, providers: Providers, provider: str
) -> None:
    gone: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def script(exchange: Exchange) -> None:
        async def stop(number: int) -> None:
            if number == 1:
                await exchange.gone.wait()
                gone.set_result(time.perf_counter())
                raise ConnectionError

        await streams.BY_PROVIDER[provider](["a", "b"], stop)(exchange)

    providers.scripts["left"] = script
    async with pieces_of(client, provider, "left") as pieces:
        assert await anext(pieces) == "a"
        left = time.perf_counter()
    async with asyncio.timeout(HANG):
        took = await gone - left
    print(f"\n{provider}: the provider knew {took * 1000:.1f} ms after the client left")
    assert took < NOTICED


@pytest.mark.parametrize(
    "path", ["/llm/generate", "/llm/generate streamed", *(f"/llm/{provider}/generate" for provider in PROVIDERS)]
)
async def test_leaving_before_the_answer_reaches_the_provider(
    client: httpx.AsyncClient, providers: Providers, path: str
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(exchange: Exchange) -> None:
        asked.set()
        await exchange.gone.wait()
        gone.set()

    providers.scripts["silent"] = script
    path, _, streamed = path.partition(" ")
    body = asking("openai", "silent", bool(streamed))
    if path != "/llm/generate":
        body = {"model": "silent", "messages": body["messages"], "contents": [{"parts": [{"text": "hi"}]}]}
    async with asyncio.timeout(HANG):
        waiting = asyncio.create_task(client.post(path, json=body))
        await asked.wait()
        waiting.cancel()
        left = time.perf_counter()
        await gone.wait()
    assert time.perf_counter() - left < NOTICED
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_hundred_streams_at_once(client: httpx.AsyncClient, providers: Providers) -> None:
    """The providers go on only when every stream is open and every client has its first piece."""
    count = 100
    all_began = asyncio.Event()
    began = 0

    async def before(number: int) -> None:
        if number == 1:
            await all_began.wait()

    for provider in PROVIDERS:
        providers.scripts[f"many-{provider}"] = streams.BY_PROVIDER[provider](["a", "b", "c"], before)

    async def read(provider: str) -> str:
        nonlocal began
        text = ""
        async with pieces_of(client, provider, f"many-{provider}") as pieces:
            async for piece in pieces:
                if not text:
                    began += 1
                    if began == count:
                        all_began.set()
                text += piece
        return text

    started = time.perf_counter()
    async with asyncio.timeout(4 * HANG):
        texts = await asyncio.gather(*(read(PROVIDERS[number % 3]) for number in range(count)))
    assert texts == ["abc"] * count
    print(f"\n{count} streams at once took {time.perf_counter() - started:.1f} s in all")

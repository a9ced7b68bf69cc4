"""Stand-in providers and a real backend that is led to them, on the loop of a module's tests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from backend.auth.cookie import SessionCookie
from tests.backend.processes import HANG, SECRET, BackendProcess, running_backend
from tests.standins.providers import Providers

#: Keys that look like nothing else, so that a search for them can't be fooled.
KEYS = {"openai": "sk-oa-5ecr3t-AAAA", "anthropic": "sk-ant-5ecr3t-BBBB", "gemini": "gm-5ecr3t-CCCC"}
#: A model that each provider's own API has.
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-20250514", "gemini": "gemini-2.5-flash"}
#: Seconds of silence after which the backend of these tests gives a provider up.
SILENCE = 1.0
CSRF = "csrf-token-of-the-tests-0123456789"


def cookies() -> dict[str, str]:
    """A signed-in user's."""
    return {"session": SessionCookie(SECRET).seal("ada@example.com", int(time.time())), "csrf": CSRF}


def client_of(url: str) -> httpx.AsyncClient:
    """A signed-in client; many streams at once are no trouble to it."""
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=url, cookies=cookies(), timeout=HANG, limits=limits)


@dataclass
class Playground:
    """A backend process between its client and the providers."""

    providers: Providers
    backend: BackendProcess
    client: httpx.AsyncClient


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def providers() -> AsyncIterator[Providers]:
    async with Providers() as providers:
        yield providers


@pytest.fixture(scope="module")
def silence() -> float:
    """Seconds of silence after which the backend gives a provider up; modules may have another."""
    return SILENCE


@pytest.fixture(scope="module")
def llm_backend(
    providers: Providers, silence: float, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    folder: Path = tmp_path_factory.mktemp("llm")
    settings = {"CUTOVER_LLM_TIMEOUT": str(silence), "LOG_LEVEL": "TRACE", **providers.environment(KEYS)}
    with running_backend(folder, **settings) as backend:
        yield backend


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def playground(providers: Providers, llm_backend: BackendProcess) -> AsyncIterator[Playground]:
    async with client_of(llm_backend.url) as client:
        yield Playground(providers, llm_backend, client)

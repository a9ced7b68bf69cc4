"""The admin app without a socket: clients of each role, all from one address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.applications import Starlette

from router.admin.app import create_app
from router.admin.auth import Tokens
from router.control import Control
from router.rollout.driver import Rollouts
from tests.router.fakes import FakeClock

OPERATOR, VIEWER = "operator-token", "viewer-token"

Clients = Callable[..., httpx.AsyncClient]


class Readiness:
    """What the supervisor would say."""

    reason = ""

    def __call__(self) -> str:
        return self.reason


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def app(control: Control, rollouts: Rollouts, readiness: Readiness, clock: FakeClock) -> Starlette:
    return create_app(control, rollouts, Tokens(OPERATOR, VIEWER), readiness, clock.monotonic)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[Clients]:
    """Makes clients: with a token or none, from an address."""
    async with AsyncExitStack() as stack:

        def make(token: str | None = OPERATOR, address: str = "10.0.0.9") -> httpx.AsyncClient:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            transport = httpx.ASGITransport(app, client=(address, 4711))
            made = httpx.AsyncClient(transport=transport, base_url="http://router", headers=headers)
            stack.push_async_callback(made.aclose)
            return made

        yield make


@pytest.fixture
def operator(client: Clients) -> httpx.AsyncClient:
    return client()


@pytest.fixture
def viewer(client: Clients) -> httpx.AsyncClient:
    return client(VIEWER)


@pytest.fixture
def anyone(client: Clients) -> httpx.AsyncClient:
    return client(None)

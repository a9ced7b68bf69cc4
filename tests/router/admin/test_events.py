"""The stream of events on a real server: who may listen, what is said when, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from router.admin.handlers import events
from router.admin.server import serve_admin
from router.feed import Decided, Feed
from router.rollout.driver import Rollouts
from router.rollout.plan import Plan
from tests.router.admin.conftest import OPERATOR, VIEWER

PLAN = Plan.model_validate({"step": [{"name": "some", "percent": 10, "hold": 60}], "gate": [{"metric": "health"}]})


class Stream:
    """One client of the stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.head = b""

    async def next(self, kind: str) -> dict[str, Any]:
        """Data of the next event of a kind; others are skipped."""
        async with asyncio.timeout(10):
            while True:
                event = await self._reader.readuntil(b"\n\n")
                if f"event: {kind}\n".encode() in event:
                    found: dict[str, Any] = json.loads(event.partition(b"data: ")[2])
                    return found


@pytest.fixture
async def port(app: Starlette) -> AsyncIterator[int]:
    server = await serve_admin(app, "127.0.0.1", 0)
    yield server.address[1]
    await server.stop()


@asynccontextmanager
async def stream(port: int, token: str = VIEWER, method: str = "GET") -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"{method} /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(request.encode())
    found = Stream(reader, writer)
    found.head = await reader.readuntil(b"\r\n\r\n")
    try:
        yield found
    finally:
        writer.close()


async def test_status_every_second_and_decisions_at_once(
    port: int, rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stream(port) as found:
        assert b"content-type: text/event-stream" in found.head
        assert b"cache-control: no-store" in found.head
        assert (await found.next("status"))["rollout"] is None
        await rollouts.start(PLAN, "operator", "go")
        decision = await found.next("decision")
        assert (decision["id"], decision["action"], decision["percent"]) == (1, "start", 10)
        assert (await found.next("status"))["rollout"]["phase"] == "running"


@pytest.mark.parametrize(("token", "status"), [(OPERATOR, b"200"), (VIEWER, b"200"), ("wrong", b"401")])
async def test_who_may_listen(port: int, token: str, status: bytes) -> None:
    async with stream(port, token) as found:
        assert found.head[9:12] == status


async def test_head_ends(port: int) -> None:
    async with stream(port, method="HEAD") as found:
        assert found.head[9:12] == b"200"


async def test_a_client_that_goes_is_forgotten(port: int, rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVERY", 0.01)
    async with stream(port) as found:
        await found.next("status")
        assert rollouts.feed.listeners == 1
    for _ in range(1000):
        if not rollouts.feed.listeners:
            break
        await asyncio.sleep(0.01)
    assert rollouts.feed.listeners == 0


async def test_there_is_a_bound(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STREAMS_MAX", 1)
    async with stream(port) as found:
        await found.next("status")
        async with stream(port) as other:
            assert other.head[9:12] == b"503"


def decided(number: int) -> Decided:
    return Decided(number, 1, "", "router", "advance", "some", 10, None, "")


async def test_a_listener_that_sleeps_loses_the_oldest() -> None:
    feed = Feed()
    with feed.listen() as queue:
        for number in range(250):
            feed.say(decided(number))
        assert queue.qsize() == 100
        assert queue.get_nowait().id == 150
    feed.say(decided(0))
    assert queue.qsize() == 99

"""Webhooks against a real server: what is sent, signed and tried again, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Any

import pytest
from loguru import logger
from pydantic import ValidationError

from router.config import Notify
from router.feed import Decided
from router.health import Change
from router.notify.herald import Herald
from router.notify.notices import Notice, decision, signature
from router.notify.webhook import ATTEMPTS, QUEUE_MAX, Webhook
from router.rollout.driver import Rollouts
from router.rollout.plan import Plan
from tests.router.fakes import FakeClock

ROLLBACK = Decided(7, 2, "2026-11-23T10:00:00.000Z", "router", "rollback", "canary", 0, "errors", "9 of 20 failed")
SECRET = "s3cret-key"


class Server:
    """Answers each POST with the next of `answers`, the last one for ever; None closes without one."""

    def __init__(self, *answers: int | None) -> None:
        self._answers = list(answers)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self._grown = asyncio.Condition()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                pairs = (line.split(": ", 1) for line in head[1:] if line)
                fields = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(fields["content-length"]))
                status = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if status is not None:
                    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
                async with self._grown:
                    self.got.append((fields, body))
                    self._grown.notify_all()
                if status is None:
                    break
        writer.close()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(10), self._grown:
            await self._grown.wait_for(lambda: len(self.got) >= count)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@asynccontextmanager
async def serving(*answers: int | None) -> AsyncIterator[Server]:
    found = Server(*answers)
    server = await asyncio.start_server(found.connected, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/very-secret-path"
    async with server:
        yield found


@asynccontextmanager
async def running(part: Webhook | Herald) -> AsyncIterator[None]:
    task = asyncio.create_task(part.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Sleeps:
    """In place of sleep: notes how long, and goes on at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def log() -> Any:
    lines: list[str] = []
    handler = logger.add(lines.append, level="TRACE", format="{message} {exception}")
    yield lines
    logger.remove(handler)


Make = Callable[..., Webhook]


@pytest.fixture
def make(clock: FakeClock, sleeps: Callable[[float], Awaitable[None]]) -> Make:
    def make(url: str, secret: str = SECRET) -> Webhook:
        return Webhook(
            url, lambda notice: notice.cloud_event("cutover://x"), "application/cloudevents+json", secret, clock, sleeps
        )

    return make


async def test_a_cloud_event_is_signed(make: Make, clock: FakeClock) -> None:
    async with serving(200) as server:
        webhook = make(server.url)
        async with running(webhook):
            webhook.tell(decision(ROLLBACK))
            await server.wait(1)
    ((fields, body),) = server.got
    event = json.loads(body)
    assert (event["specversion"], event["type"], event["id"]) == ("1.0", "cutover.rollout.rollback", "decision-7")
    assert (event["source"], event["time"]) == ("cutover://x", ROLLBACK.time)
    assert event["data"]["gate"] == "errors"
    assert fields["content-type"] == "application/cloudevents+json"
    timestamp = fields["x-cutover-timestamp"]
    assert int(timestamp) == int(clock.time())
    expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()
    assert fields["x-cutover-signature"] == f"sha256={expected}"
    assert signature("other", timestamp, body) != fields["x-cutover-signature"]


async def test_without_a_secret_nothing_is_signed(make: Make) -> None:
    async with serving(204) as server:
        webhook = make(server.url, "")
        async with running(webhook):
            webhook.tell(decision(ROLLBACK))
            await server.wait(1)
    assert "x-cutover-signature" not in server.got[0][0]


def test_slack_is_told_in_words() -> None:
    text = json.loads(decision(ROLLBACK).slack())["text"]
    assert text.startswith("*Rollout 2 WAS ROLLED BACK: the canary is at 0 %*\n9 of 20 failed")


async def test_it_tries_again_with_growing_waits(make: Make, sleeps: Sleeps) -> None:
    async with serving(503, None, 429, 200) as server:
        webhook = make(server.url)
        async with running(webhook):
            webhook.tell(decision(ROLLBACK))
            await server.wait(4)
    assert len({event["id"] for event in server.events()}) == 1
    for waited, base in zip(sleeps.seconds, (1, 2, 4), strict=True):
        assert base * 0.5 <= waited <= base * 1.5


@pytest.mark.parametrize(("answer", "attempts"), [(500, ATTEMPTS), (400, 1), (410, 1), (302, 1)])
async def test_it_gives_up_and_says_so_without_secrets(make: Make, log: list[str], answer: int, attempts: int) -> None:
    async with serving(*[answer] * attempts, 200) as server:
        webhook = make(server.url)
        async with running(webhook):
            webhook.tell(decision(ROLLBACK))
            webhook.tell(decision(ROLLBACK))
            await server.wait(attempts + 1)
    (line,) = [line for line in log if "not delivered" in line]
    assert f"webhook at 127.0.0.1: rollout.rollback was not delivered: answered {answer}" in line
    assert not any("very-secret-path" in line or SECRET in line for line in log)


async def test_nobody_there(make: Make, log: list[str], sleeps: Sleeps, unused_tcp_port: int) -> None:
    webhook = make(f"http://127.0.0.1:{unused_tcp_port}/very-secret-path")
    async with running(webhook):
        webhook.tell(decision(ROLLBACK))
        for _ in range(1000):
            if any("not delivered" in line for line in log):
                break
            await asyncio.sleep(0.01)
    assert len(sleeps.seconds) == ATTEMPTS - 1
    assert any("not delivered: ConnectError" in line for line in log)
    assert not any("very-secret-path" in line for line in log)


async def test_telling_never_waits_and_the_queue_is_bounded(make: Make, log: list[str]) -> None:
    async with serving(200) as server:
        webhook = make(server.url)
        for number in range(QUEUE_MAX + 5):
            webhook.tell(Notice(str(number), "rollout.start", "", "", ""))
        async with running(webhook):
            await server.wait(QUEUE_MAX)
    assert [event["id"] for event in server.events()] == [str(number) for number in range(5, QUEUE_MAX + 5)]
    assert sum("is dropped" in line for line in log) == 5


async def test_a_rollout_is_told_of(rollouts: Rollouts, clock: FakeClock) -> None:
    """Decisions at once, a hold that is too long once, and only the canary's endpoints."""
    async with serving(200) as server:
        herald = Herald(Notify(webhook=server.url, held_for=60), "cutover://x", rollouts, clock)
        async with running(herald):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            plan = {"step": [{"name": "some", "percent": 5, "hold": 10, "min_samples": 5}], "gate": []}
            await rollouts.start(Plan.model_validate(plan), "operator", "go")
            await server.wait(1)
            for _ in range(75):
                clock.advance(1)
                await rollouts.tick()
                herald.look()
            await server.wait(2)
            herald.endpoint_changed(Change("stable", "http://s", False, "connection refused"))
            herald.endpoint_changed(Change("canary", "http://c", False, "connection refused"))
            herald.endpoint_changed(Change("canary", "http://c", True, "answers again"))
            await server.wait(4)
    kinds = [event["type"] for event in server.events()]
    assert kinds == ["cutover.rollout.start", "cutover.rollout.held", "cutover.canary.down", "cutover.canary.up"]
    assert "5 of 5 canary requests are left" in server.events()[1]["data"]["words"]


async def test_without_a_url_nothing_runs(rollouts: Rollouts) -> None:
    await Herald(Notify(), "cutover://x", rollouts).run()
    assert rollouts.feed.listeners == 0


@pytest.mark.parametrize("url", ["ftp://a/b", "hooks.example", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="is not a URL"):
        Notify(webhook=url)

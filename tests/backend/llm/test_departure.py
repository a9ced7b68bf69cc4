"""Work is for clients that wait for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backend.llm.departure import while_present
from backend.llm.stream import EventStream
from backend.web.body import DisconnectedError


async def stays() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def test_a_result() -> None:
    async def work() -> int:
        return 1

    assert await while_present(stays, work()) == 1


async def test_an_error() -> None:
    async def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await while_present(stays, work())


async def test_work_has_ended_when_its_client_left() -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended = True

    with pytest.raises(DisconnectedError):
        await while_present(leaves, work())
    assert ended


async def test_being_cancelled_cancels_the_work() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    waiting = asyncio.create_task(while_present(stays, work()))
    await began.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cancelled.is_set()


async def test_a_silent_stream_sends_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a proxy finds out that nobody reads."""
    monkeypatch.setattr("backend.llm.stream.HEARTBEAT", 0.001)
    commented = asyncio.Event()

    async def pieces() -> Any:
        await commented.wait()
        yield {"n": 2}

    sent = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))
        if message.get("body") == b": waiting\n\n":
            commented.set()

    await EventStream({"n": 1}, pieces())({}, stays, send)
    assert [body for body in sent if not body.startswith(b":")] == [
        b"",
        b'data: {"n":1}\n\n',
        b'data: {"n":2}\n\n',
        b"data: [DONE]\n\n",
    ]
    assert b": waiting\n\n" in sent

"""Two hundred requests a second, each of a user of its own, until told to stop; what they see is not judged."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import suppress

from ..demo.client import FAILURES, Connection

#: Many with long pauses, so that those who wait for a hung canary don't slow the rest down.
CLIENTS, PAUSE_SECONDS = 400, 2.0


async def load(port: int) -> None:
    """Runs until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(_client(port))


async def _client(port: int) -> None:
    await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
    connection: Connection | None = None
    try:
        while True:
            user = secrets.token_hex(8)
            request = f"GET /drill HTTP/1.1\r\nHost: drill\r\nCookie: cutover_id={user}\r\n\r\n".encode()
            try:
                connection = connection or await Connection.open("127.0.0.1", port)
                await connection.request(request)
            except FAILURES:
                await _close(connection)
                connection = None
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
    finally:
        await _close(connection)


async def _close(connection: Connection | None) -> None:
    if connection is not None:
        with suppress(OSError):
            await connection.close()

"""The cursor in SQLite (`poller_state`), from which the Go backend would go on; the owner of the file keeps it.

It follows the cursor in the DuckDB file and is never ahead of it: written after the rows are committed. A process that
is killed in between leaves it behind, which costs a second reading and loses nothing.
"""

from __future__ import annotations

import asyncio

from loguru import logger

from ..errors import BackendError
from ..sqlite import Sqlite

#: Seconds between two writes: while spans flow there are 50 batches a second, and each write is a sync to the disk.
PAUSE = 1.0


class SharedCursor:
    def __init__(self, sqlite: Sqlite, pause: float = PAUSE) -> None:
        self._sqlite = sqlite
        self._pause = pause
        self._wanted = b""
        self._written = b""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> bytes:
        """Empty if nothing was ever read."""
        rows = await self._sqlite.read("poller_state")
        return bytes(rows[0][0] or b"") if rows else b""

    def follow(self, cursor: bytes) -> None:
        """Write this soon."""
        self._wanted = cursor
        self._changed.set()

    async def __aenter__(self) -> SharedCursor:
        self._task = asyncio.create_task(self._run(), name="shared-cursor")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        await self.flush()

    async def flush(self) -> None:
        """Write what `follow` was told last, now; says so if it can't."""
        wanted = self._wanted
        if wanted == self._written:
            return
        try:
            await self._sqlite.write("poller_state_move", (wanted,))
            self._written = wanted
        except BackendError as error:
            logger.warning("the shared cursor stays behind for now: {}", error)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.flush()
            if self._wanted != self._written:
                self._changed.set()
            await asyncio.sleep(self._pause)

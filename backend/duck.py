"""The product's DuckDB file, which may be another one a moment later.

DuckDB lets in one process a file, so the file can change hands while requests come: `close` lets it go, `open` takes
it or another, and who asks in between waits up to `WAIT` seconds instead of failing. A read that `close` interrupts is
asked again of the next file; a transaction is never interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from .duckfile import READERS, ClosingError, File, HeldError, Observe, Params, RefusedError, Row, Transaction, open_file
from .errors import DatabaseBusyError

__all__ = ["Duck", "HeldError", "RefusedError", "Transaction"]

#: Seconds that a request waits for a free connection, or for the file while it changes hands.
WAIT = 5.0

T = TypeVar("T")


class Duck:
    """At most one open file. `observe(name, seconds)` is called after every statement, from any thread."""

    def __init__(self, observe: Observe = lambda name, took: None, beside: Duck | None = None) -> None:
        """With the threads of the one that it is `beside`, or its own."""
        self._observe = observe
        self._file: File | None = None
        self._arrived = asyncio.Event()
        self._writer: ThreadPoolExecutor = beside._writer if beside else ThreadPoolExecutor(1, "duck-writer")
        self._readers: ThreadPoolExecutor = beside._readers if beside else ThreadPoolExecutor(READERS, "duck-reader")

    async def __aenter__(self) -> Duck:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        self._writer.shutdown()
        self._readers.shutdown()

    async def open(self, path: Path) -> None:
        """Open a file, and create what it lacks; those who wait go on.

        Raises:
            HeldError: another process has it.
            StartError: it can't be opened, or is a database of something else.
        """
        assert self._file is None, "one file at a time"
        self._file = await self._in_writer(partial(open_file, path, self._readers, self._observe))
        self._arrived.set()

    async def close(self) -> None:
        """Let the file go, with all that was written in it and no log beside it. Nothing to do if none is open."""
        file, self._file = self._file, None
        if file is None:
            return
        self._arrived.clear()
        await file.drain()
        await self._in_writer(file.close)

    async def beside(self, path: Path) -> Duck:
        """Another file, open at the same time: `take` puts it into use, its `close` lets it go.

        Raises:
            HeldError, StartError: as `open`.
        """
        other = Duck(self._observe, self)
        await other.open(path)
        return other

    async def take(self, other: Duck) -> None:
        """Use the file of `other`, which has none afterwards, and let the one in use go. Nobody waits meanwhile."""
        before, self._file, other._file = self._file, other._file, None
        self._arrived.set()
        if before is not None:
            await before.drain()
            await self._in_writer(before.close)

    async def read(self, name: str, params: Params | None = None) -> list[Row]:
        """All rows of sql/backend/`name`.sql, whose parameters are ``$name``; of nothing but committed rows.

        Cancelled, the query ends.

        Raises:
            DatabaseBusyError: no connection was free or no file open in time, or the query took too long.
            DatabaseError: the file can't be read.
        """
        deadline = monotonic() + WAIT
        while True:
            file = await self._opened(deadline)
            try:
                return await file.read(name, params, deadline)
            except ClosingError:
                continue

    async def transaction(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer's thread, and commit; if it raises, nothing is written. Runs to its end, always.

        Raises:
            DatabaseBusyError: no file was open in time.
            RefusedError: the rows can't be stored.
            DatabaseError: the file can't be written, for example because the disk is full.
        """
        deadline = monotonic() + WAIT
        while True:
            file = await self._opened(deadline)
            try:
                return await self._in_writer(partial(file.transaction, work))
            except ClosingError:
                continue

    async def checkpoint(self) -> None:
        """Move the log into the file, so that its end is short whoever opens it next."""
        file = await self._opened(monotonic() + WAIT)
        await self._in_writer(file.checkpoint)

    async def _opened(self, deadline: float) -> File:
        while (file := self._file) is None:
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await self._arrived.wait()
            except TimeoutError:
                raise DatabaseBusyError("the spans' database is changing hands; try again") from None
        return file

    async def _in_writer(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._writer, work))

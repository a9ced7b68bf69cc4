"""Moves spans from the ingestion service to where they are stored, as fast as they come.

One loop: read a batch, let the sink store what is new in it, again. A poll starts at the sink's cursor or a little
before it (overlap.py). It waits only when a batch wasn't full, or after an error. What a sink stores is its own
business; it must commit a batch and its cursor together, since the poller may be stopped or killed between any two
steps and starts again from the cursor.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from loguru import logger

from ..clock import Clock, wall
from ..errors import BackendError, IngestionError
from .overlap import Overlap
from .progress import Phase, Progress
from .stored import Stored, key_time

#: Seconds to wait after the first error, doubled with each further one; half of it is chance.
BACKOFF_FIRST, BACKOFF_MAX = 0.5, 30.0
#: Bytes at which a batch is stored though more spans were asked for: states can be megabytes each.
BATCH_BYTES = 32 * 1024 * 1024

#: While batches come back full each is twice the one before, up to so many times the configured size: a transaction
#: costs 30 ms of CPU however small it is, and one of 800 spans holds up the requests' thread for some milliseconds.
GROWTH = 8

Pause = Callable[[float], Awaitable[None]]


class Reader(Protocol):
    """Where spans come from (rpc.ingestion.Ingestion)."""

    def read(self, after: bytes, limit: int) -> AsyncGenerator[Stored, None]:
        """At most `limit` entries after the key, in order; what came before an error is good."""


class Sink(Protocol):
    """Where spans go."""

    def cursor(self) -> bytes:
        """Key of the last entry that is stored for good; empty if none is."""

    async def store(self, spans: list[Stored]) -> None:
        """Store the rows of `spans`, put bad ones aside, and move the cursor to the last, in one transaction.

        They are in order, but may lie before the cursor, which never goes back. Storing an entry a second time changes
        nothing. Raises: they must be stored again.
        """


class Poller:
    """An async context manager: polls inside, and leaves between two batches."""

    def __init__(
        self,
        reader: Reader,
        sink: Sink,
        *,
        interval: float,
        batch_size: int,
        progress: Progress,
        clock: Clock = wall,
        pause: Pause = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`interval` is in seconds; `clock`, `pause` and `chance` (0 to 1) are what tests put others for."""
        self._reader = reader
        self._sink = sink
        self._interval = interval
        self._batch_size = batch_size
        self._limit = batch_size
        self._progress = progress
        self._clock = clock
        self._pause = pause
        self._chance = chance
        self._failures = 0
        self._overlap = Overlap()
        #: Where the next batch begins while the log isn't read to its end; None between polls.
        self._position: bytes | None = None

    async def __aenter__(self) -> Poller:
        self._task = asyncio.create_task(self._run(), name="poller")
        return self

    async def __aexit__(self, *_: object) -> None:
        """A read or a wait under way is dropped; a batch that is being stored is stored."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            try:
                full = await self._poll()
            except Exception as error:
                await self._pause(self._failed(error))
            else:
                self._succeeded(full)
                # Even without a wait the loop must breathe: a sink that is all CPU would starve the requests.
                await self._pause(0 if full else self._interval)

    async def _poll(self) -> bool:
        """One batch; True if more is there."""
        start = self._position
        if start is None:
            start = self._overlap.start(self._sink.cursor())
        self._position = None
        batch: list[Stored] = []
        try:
            full = await self._read(start, batch)
        except IngestionError:
            # What came before the error is good; a service that always breaks off would else never be passed.
            await self._store(batch)
            if batch:
                self._position = batch[-1].key
            raise
        await self._store(batch)
        if full:
            self._position = batch[-1].key
        self._limit = min(self._limit * 2, self._batch_size * GROWTH) if full else self._batch_size
        return full

    async def _read(self, last: bytes, batch: list[Stored]) -> bool:
        """Fill `batch` with what comes after `last`; True if it is full."""
        size = 0
        async with aclosing(self._reader.read(last, self._limit)) as entries:
            async for entry in entries:
                if entry.key <= last:
                    # The cursor would go back, or over entries that were never seen.
                    raise IngestionError(f"the ingestion service sent key {entry.key.hex()} after {last.hex()}")
                batch.append(entry)
                last = entry.key
                size += len(entry.span) + len(entry.resource)
                if size >= BATCH_BYTES:
                    return True
        return len(batch) >= self._limit

    async def _store(self, read: list[Stored]) -> None:
        batch = self._overlap.unknown(read)
        if not batch:
            return
        storing = asyncio.create_task(self._sink.store(batch))
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait({storing})
            if (error := storing.exception()) is not None:
                logger.warning("the last batch was not stored, and will be read again: {}", error)
            raise
        self._overlap.stored(batch)
        self._progress.spans += len(batch)
        self._progress.stored_until = key_time(batch[-1].key)

    def _succeeded(self, full: bool) -> None:
        progress = self._progress
        if progress.failing_since is not None:
            logger.info("spans are stored again, after {:.1f} s", self._clock() - progress.failing_since)
        self._failures = 0
        progress.polls += 1
        progress.polled_at = self._clock()
        progress.phase = Phase.BEHIND if full else Phase.DRAINED
        progress.error = progress.error_label = progress.failing_since = None

    def _failed(self, error: Exception) -> float:
        """Take note; the seconds to wait."""
        progress = self._progress
        self._overlap.again()
        if isinstance(error, BackendError):
            label, text = error.label, str(error)
            if text != progress.error:
                logger.warning("no spans are stored: {}", text)
        else:
            label, text = "internal", f"{type(error).__name__} in the poller; the log has its traceback"
            logger.opt(exception=error).error("the poller failed, and goes on")
        progress.phase = Phase.FAILING
        progress.errors[label] += 1
        progress.error, progress.error_label = text, label
        if progress.failing_since is None:
            progress.failing_since = self._clock()
        longest = min(BACKOFF_MAX, BACKOFF_FIRST * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return longest * (0.5 + 0.5 * self._chance())

"""Stores spans in the open DuckDB file: the sink of the poller.

A batch is one transaction: spans, patches, bad spans and the cursor. An entry that comes a second time changes nothing:
its span is there, and then its patches are too, since both came in one transaction. So only patches of new spans are
written, which also keeps those apart that the Go backend stored, whose patches have ids by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter

from loguru import logger

from ..clock import Clock, wall
from ..duck import Duck, RefusedError, Transaction
from .batch import Batch
from .progress import Progress
from .stored import Stored


def _ignore(value: object) -> None:
    pass


class Indexer:
    """`moved` is told each new cursor once it is committed, `observe` the seconds that a batch took."""

    def __init__(
        self,
        duck: Duck,
        progress: Progress,
        *,
        start: bytes,
        moved: Callable[[bytes], None] = _ignore,
        observe: Callable[[float], None] = _ignore,
        clock: Clock = wall,
    ) -> None:
        self._duck = duck
        self._progress = progress
        self._cursor = start
        self._moved = moved
        self._observe = observe
        self._clock = clock

    def cursor(self) -> bytes:
        return self._cursor

    async def store(self, spans: list[Stored]) -> None:
        """Store entries, which are in key order.

        Raises:
            DatabaseBusyError, DatabaseError: nothing, or only a first part with its cursor, was stored.
        """
        started = perf_counter()
        await self._store(spans)
        self._observe(perf_counter() - started)

    async def _store(self, entries: list[Stored]) -> None:
        try:
            await self._commit(entries, partial(Batch.of, entries))
        except RefusedError as error:
            # Something that the decoder lets pass and DuckDB doesn't: it must not keep the others out.
            if len(entries) == 1:
                reason = f"the database refuses it: {error}"
                await self._commit(entries, lambda: Batch(bad=[(entries[0], reason)]))
                return
            middle = len(entries) // 2
            await self._store(entries[:middle])
            await self._store(entries[middle:])

    async def _commit(self, entries: list[Stored], decoded: Callable[[], Batch]) -> None:
        cursor = max(self._cursor, entries[-1].key)
        now = int(self._clock() * 1_000_000)

        def work(transaction: Transaction) -> tuple[int, int]:
            batch = decoded()  # here, in the writer's thread: it is the half of the work
            counts = write(transaction, batch, now)
            transaction.run("cursor_move", {"key": cursor})
            return counts

        indexed, bad = await self._duck.transaction(work)
        self._cursor = cursor
        self._moved(cursor)
        self._progress.indexed += indexed
        self._progress.quarantined += bad
        if bad:
            logger.warning("{} of {} spans were put aside: cutover backend quarantine list", bad, len(entries))


def write(transaction: Transaction, batch: Batch, now: int) -> tuple[int, int]:
    """Write a batch; how many spans are new, and how many bad ones. `now` is in microseconds since 1970."""
    new = transaction.run("spans_insert", batch.span_columns()) if batch.spans else []
    if (patches := batch.patch_columns([(trace, span) for trace, span in new])) is not None:
        transaction.run("state_patches_insert", patches)
    bad = transaction.run("quarantine_insert", batch.bad_columns() | {"now": now}) if batch.bad else []
    return len(new), len(bad)

"""Copies from one open DuckDB file into another what only the first has: spans, patches, bad spans, the cursor.

In parts of bounded size, while both are read and written. Whatever was copied before it was interrupted stays, and a
second time copies only the rest.
"""

from __future__ import annotations

from time import time

from loguru import logger

from ..duck import Duck, Transaction
from .batch import Batch
from .indexer import write
from .rows import PatchRow, SpanRow
from .stored import Stored

#: Spans that are compared at once, and those copied at once: one has two ids, the other may have megabytes of state.
COMPARED, COPIED = 20_000, 500
#: Bad spans copied at once; each may have megabytes.
BAD = 20

Place = tuple[int, str, str]


async def merge(source: Duck, target: Duck) -> int:
    """How many spans were copied. Afterwards `target` has all that `source` had, and a cursor at least as far."""
    ((cursor,),) = await source.read("cursor")  # first: what comes meanwhile may not be copied
    copied = await _spans(source, target)
    await _bad_spans(source, target)
    await target.transaction(lambda transaction: transaction.run("cursor_move", {"key": cursor}))
    if copied:
        logger.info("{} spans were copied from the other file", copied)
    return copied


async def _spans(source: Duck, target: Duck) -> int:
    copied = first = 0
    while found := await source.read("merge_ids", {"first": first, "most": COMPARED}):
        first = found[-1][0] + 1
        ids = {"trace_id": [trace for _, trace, _ in found], "span_id": [span for _, _, span in found]}
        missing = [found[place] for (place,) in await target.read("merge_missing", ids)]
        for start in range(0, len(missing), COPIED):
            batch = await _batch(source, missing[start : start + COPIED])
            copied += await _written(target, batch)
    return copied


async def _batch(source: Duck, places: list[Place]) -> Batch:
    rows = [row for row, _, _ in places]
    ids = {"trace_id": [trace for _, trace, _ in places], "span_id": [span for _, _, span in places]}
    spans = await source.read("merge_spans", {"first": rows[0], "last": rows[-1], "rows": rows})
    batch = Batch(spans={(row[0], row[1]): SpanRow(*row) for row in spans})
    for row in await source.read("merge_patches", ids):
        patch = PatchRow(*row)
        batch.patches.setdefault((patch.trace_id, patch.span_id), []).append(patch)
    return batch


async def _bad_spans(source: Duck, target: Duck) -> None:
    after = b""
    while found := await source.read("quarantine_after", {"after": after, "most": BAD}):
        after = bytes(found[-1][0])
        bad = [(Stored(bytes(key), bytes(span), bytes(resource)), reason) for key, span, resource, reason in found]
        await _written(target, Batch(bad=bad))


async def _written(target: Duck, batch: Batch) -> int:
    now = int(time() * 1_000_000)

    def work(transaction: Transaction) -> int:
        return write(transaction, batch, now)[0]

    return await target.transaction(work)

"""The entries that could not become rows: to look at, and to try again, for example with a newer decoder."""

from __future__ import annotations

from time import time
from typing import Any

from ..duck import Duck, RefusedError, Transaction
from .batch import Batch, columns
from .indexer import write
from .stored import Stored

#: Rows that a list shows, and entries that are tried again in one transaction.
LISTED, TRIED = 1000, 20


class Quarantine:
    def __init__(self, duck: Duck) -> None:
        self._duck = duck

    async def count(self) -> int:
        ((number,),) = await self._duck.read("quarantine_count")
        return int(number)

    async def list(self) -> list[dict[str, Any]]:
        """The oldest `LISTED`: key (hex), reason, size in bytes, put_aside_at (RFC 3339)."""
        rows = await self._duck.read("quarantine_list", {"most": LISTED})
        return [dict(zip(("key", "reason", "bytes", "put_aside_at"), row, strict=True)) for row in rows]

    async def replay(self) -> dict[str, int]:
        """Decode everything again: how many are `stored` now and no longer here, and how many are `still_bad`."""
        after, stored, bad = b"", 0, 0
        while rows := await self._duck.read("quarantine_after", {"after": after, "most": TRIED}):
            after = bytes(rows[-1][0])
            for row in rows:
                if await self._replayed(Stored(*(bytes(part) for part in row[:3]))):
                    stored += 1
                else:
                    bad += 1
        return {"stored": stored, "still_bad": bad}

    async def _replayed(self, entry: Stored) -> bool:
        batch = Batch.of([entry])
        if batch.bad:
            return False
        now = int(time() * 1_000_000)

        def work(transaction: Transaction) -> None:
            write(transaction, batch, now)
            transaction.run("quarantine_delete", columns(("key",), [(entry.key,)]))

        try:
            await self._duck.transaction(work)
        except RefusedError:
            return False
        return True

"""The check of the SQLite database: reads from the file, as a request would."""

from __future__ import annotations

from time import perf_counter

from ..sqlite import Sqlite
from .checks import Check, Finding

#: Seconds after which a read is worth a warning: somebody holds the lock.
SLOW = 0.5


def sqlite_check(sqlite: Sqlite) -> Check:
    async def check() -> Finding:
        started = perf_counter()
        await sqlite.read("goose_version")
        took = round(perf_counter() - started, 6)
        details: dict[str, object] = {"read_seconds": took, "journal_mode": sqlite.journal}
        if took > SLOW:
            return Finding("degraded", {**details, "reason": "another process holds the lock for long"})
        return Finding("ok", details)

    return check

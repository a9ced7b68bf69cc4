"""The check of the DuckDB file: a read, as a request would do it."""

from __future__ import annotations

from time import perf_counter

from ..duck import Duck
from .checks import Check, Finding


def duckdb_check(duck: Duck, role: str) -> Check:
    """`role` as CUTOVER_DUCKDB_ROLE turned out: owner or follower."""

    async def check() -> Finding:
        started = perf_counter()
        await duck.read("duckdb_tables")
        return Finding("ok", {"role": role, "read_seconds": round(perf_counter() - started, 6)})

    return check

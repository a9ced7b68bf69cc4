"""The check of the DuckDB file: a read, as a request would do it."""

from __future__ import annotations

from time import perf_counter

from ..duck import Duck
from ..ingest.ownership import Ownership, Step
from .checks import Check, Finding


def duckdb_check(duck: Duck, ownership: Ownership) -> Check:
    async def check() -> Finding:
        started = perf_counter()
        await duck.read("cursor")
        details: dict[str, object] = {
            "role": ownership.role.value,
            "read_seconds": round(perf_counter() - started, 6),
        }
        if ownership.step is not Step.RESTING:
            details["handover"] = ownership.step.value
        if ownership.holder is not None:
            details["held_by"] = ownership.holder.rpartition("/")[2]  # its program's name, not where that lies
        return Finding("ok", details)

    return check

"""Backends without HTTP around them, for tests of who owns the file.

``python -m tests.backend.ingest.handover FOLDER ROLE TO STEP`` is one that begins a hand-over as soon as all spans of
the log are stored, and is killed when it comes to that step.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.config import load
from backend.duck import Duck
from backend.ingest.batch import Batch
from backend.ingest.ownership import Ownership, Role, Step
from backend.ingest.progress import Phase, Progress
from backend.ingest.shared_cursor import SharedCursor
from backend.ingest.stored import Stored
from backend.sqlite import Sqlite
from tests.standins.spanlog import SpanLog

#: Guards against hangs.
HANG = 60.0


class LogReader:
    """The log of the stand-in ingestion service, without gRPC."""

    def __init__(self, path: Path) -> None:
        self._log = SpanLog(path)

    async def read(self, after: bytes, limit: int) -> AsyncGenerator[Stored, None]:
        self._log.refresh()
        for entry in self._log.after(after, limit):
            yield entry


@dataclass(frozen=True, slots=True)
class Running:
    duck: Duck
    ownership: Ownership
    shared: SharedCursor
    progress: Progress

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG):
            while not done():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def drained(self) -> None:
        """One more poll has found nothing new."""
        polls = self.progress.polls
        await self.until(lambda: self.progress.polls > polls + 1 and self.progress.phase is Phase.DRAINED)

    async def to(self, role: Role) -> None:
        self.ownership.hand_over(role)
        await self.until(lambda: self.ownership.step is Step.RESTING)

    async def ids(self) -> tuple[list[str], list[str]]:
        """Sorted ids of all spans and of all patches that are in use."""
        spans = [f"{trace}/{span}" for _, trace, span in await self.duck.read("merge_ids", {"first": 0, "most": 10**6})]
        ids = {"trace_id": [each[:32] for each in spans], "span_id": [each[33:] for each in spans]}
        return sorted(spans), sorted(row[0] for row in await self.duck.read("merge_patches", ids))


def expected(entries: list[Stored]) -> tuple[list[str], list[str]]:
    """As `Running.ids` of a file that has all that was sent, once."""
    batch = Batch.of(entries)
    patches = [patch.patch_id for found in batch.patches.values() for patch in found]
    return sorted(f"{trace}/{span}" for trace, span in batch.spans), sorted(patches)


def paths(folder: Path) -> tuple[Path, Path, Path]:
    """The log, the shared file, the replica."""
    return folder / "log.jsonl", folder / "otel_data.db", folder / "replica" / "otel_data.db"


@asynccontextmanager
async def running(
    folder: Path, role: str = "auto", at_step: Callable[[Step], None] = lambda step: None, pause: float = 0.01
) -> AsyncIterator[Running]:
    """`pause` is that between two writes of the shared cursor."""
    log, file, replica = paths(folder)
    environment = {
        "JUNJO_SESSION_SECRET": "x",
        "SQLITE_DB_PATH": str(folder / "app_data.db"),
        "DUCKDB_PATH": str(file),
        "CUTOVER_DUCKDB_REPLICA_PATH": str(replica),
        "CUTOVER_DUCKDB_ROLE": role,
        "SPAN_POLL_INTERVAL": "0.01",
    }
    settings = load({}, environment)
    progress = Progress()
    async with (
        Sqlite(settings.sqlite_path) as sqlite,
        Duck() as duck,
        SharedCursor(sqlite, pause) as shared,
        Ownership(settings, duck, LogReader(log), shared, progress, lambda seconds: None, at_step) as ownership,
    ):
        yield Running(duck, ownership, shared, progress)


async def main(folder: Path, role: str, to: Role, step: Step) -> None:
    def kill(now: Step) -> None:
        if now is step:
            os.kill(os.getpid(), signal.SIGKILL)

    async with running(folder, role, kill) as backend:
        await backend.drained()
        await backend.to(to)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Role(sys.argv[3]), Step(sys.argv[4])))

"""Poller, gRPC client and a real stand-in service together: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import sys
from itertools import islice
from pathlib import Path

import pytest

from backend.ingest.poller import Poller
from backend.ingest.progress import Phase, Progress
from backend.ingest.stored import Stored
from backend.rpc.ingestion import Ingestion
from tests.standins.ingestion import serving
from tests.standins.spanlog import append
from tests.standins.spans import Source

ROOT = Path(__file__).parents[3]


class Memory:
    """A sink in memory that says when it has grown; what it has already it leaves out, as the real one does."""

    def __init__(self) -> None:
        self.spans: list[Stored] = []
        self._grown = asyncio.Condition()

    def cursor(self) -> bytes:
        return self.spans[-1].key if self.spans else b""

    async def store(self, spans: list[Stored]) -> None:
        async with self._grown:
            known = {entry.key for entry in self.spans}
            self.spans += [entry for entry in spans if entry.key not in known]
            self._grown.notify_all()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30), self._grown:
            await self._grown.wait_for(lambda: len(self.spans) >= count)


async def quick(seconds: float) -> None:
    """The poller's waits, at a hundredth of their length."""
    await asyncio.sleep(seconds / 100)


def polling(ingestion: Ingestion, sink: Memory, progress: Progress) -> Poller:
    return Poller(ingestion, sink, interval=5, batch_size=50, progress=progress, pause=quick)


async def test_a_service_that_breaks_off_every_call_is_read_to_its_end(tmp_path: Path) -> None:
    log, sink, progress = tmp_path / "log.jsonl", Memory(), Progress()
    entries = list(islice(Source().entries(), 200))
    append(log, entries)
    async with serving(log) as running, Ingestion(running.internal) as ingestion:
        running.reading.faults.fail_after = 30
        async with polling(ingestion, sink, progress):
            await sink.until(200)
    assert sink.spans == entries
    assert progress.errors["ingestion"] >= 6


@pytest.mark.slow
async def test_a_service_that_is_killed_again_and_again_while_spans_flow(tmp_path: Path) -> None:
    log, sink, progress = tmp_path / "log.jsonl", Memory(), Progress()
    source = Source().entries()
    sent: list[Stored] = []

    def send(count: int) -> None:
        fresh = list(islice(source, count))
        append(log, fresh)
        sent.extend(fresh)

    send(200)
    service, address = await _start(log, 0)
    port = int(address.rpartition(":")[2])
    async with Ingestion(address, reconnect=(0.05, 0.1)) as ingestion, polling(ingestion, sink, progress):
        for _ in range(5):
            await sink.until(len(sent) - 150)
            send(200)
            service.kill()
            await service.wait()
            send(50)
            service, _ = await _start(log, port)
        await sink.until(len(sent))
        await _drained(progress)
    service.kill()
    await service.wait()
    assert sink.spans == sent
    assert progress.lag(0) == 0
    assert progress.errors["away"] >= 1


async def _start(log: Path, port: int) -> tuple[asyncio.subprocess.Process, str]:
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.standins.ingestion", "--port", str(port), "--log", str(log), "--delay-ms", "1"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert service.stdout is not None
    return service, (await service.stdout.readline()).decode().split()[1]


async def _drained(progress: Progress) -> None:
    async with asyncio.timeout(10):
        while progress.phase is not Phase.DRAINED:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_leaving_while_a_batch_flows_ends_the_call_cleanly(tmp_path: Path) -> None:
    log, sink = tmp_path / "log.jsonl", Memory()
    append(log, islice(Source().entries(), 500))
    async with serving(log) as running, Ingestion(running.internal) as ingestion:
        running.reading.faults.delay = 0.001
        async with polling(ingestion, sink, Progress()):
            await sink.until(100)
        stored = len(sink.spans)
        async with polling(ingestion, sink, Progress()):
            await sink.until(500)
    assert stored % 50 == 0
    assert len({entry.key for entry in sink.spans}) == len(sink.spans) == 500

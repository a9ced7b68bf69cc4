"""Reading spans from a real gRPC server over the recorded log; then from one that fails in every way."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from backend.errors import IngestionAwayError, IngestionError, IngestionTimeoutError
from backend.ingest.stored import Stored
from backend.rpc.ingestion import Ingestion
from tests.backend.ingest.spans import RECORD, recorded
from tests.standins.ingestion import Running, serving
from tests.standins.spanlog import append


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return Path(shutil.copy(RECORD / "spans.jsonl", tmp_path))


@pytest.fixture
async def standin(log: Path) -> AsyncIterator[Running]:
    async with serving(log) as running:
        yield running


async def read(ingestion: Ingestion, after: bytes = b"", limit: int = 100) -> list[Stored]:
    return [entry async for entry in ingestion.read(after, limit)]


async def test_the_log_is_read_in_order_from_any_key(standin: Running) -> None:
    entries = recorded()
    async with Ingestion(standin.internal) as ingestion:
        assert await read(ingestion) == entries
        assert await read(ingestion, limit=5) == entries[:5]
        assert await read(ingestion, entries[4].key, 5) == entries[5:10]
        assert await read(ingestion, entries[-1].key) == []
        # A key that was never there, between two others.
        assert await read(ingestion, entries[4].key[:-1], 1) == entries[4:5]


async def test_calls_are_observed(standin: Running) -> None:
    observed: list[tuple[str, str]] = []
    async with Ingestion(
        standin.internal, observe=lambda method, code, _: observed.append((method, code))
    ) as ingestion:
        await read(ingestion)
        standin.reading.faults.fail_after = 1
        with pytest.raises(IngestionError):
            await read(ingestion)
    assert observed == [("ReadSpans", "OK"), ("ReadSpans", "INTERNAL")]


async def test_what_came_before_an_error_is_good(standin: Running) -> None:
    standin.reading.faults.fail_after = 3
    got: list[Stored] = []
    async with Ingestion(standin.internal) as ingestion:
        with pytest.raises(IngestionError, match="refused to send spans: INTERNAL: broken off"):
            await _collect(ingestion, got)
    assert got == recorded()[:3]


async def _collect(ingestion: Ingestion, into: list[Stored]) -> None:
    async for entry in ingestion.read(b"", 100):
        into.append(entry)  # noqa: PERF401


async def test_a_service_that_hangs_is_given_up(standin: Running) -> None:
    standin.reading.faults.hang = True
    async with Ingestion(standin.internal, deadline=0.1) as ingestion:
        with pytest.raises(IngestionTimeoutError, match=f"{standin.internal} didn't finish a batch within 0.1 s"):
            await read(ingestion)
        standin.reading.faults.hang = False
        assert await read(ingestion, limit=1) == recorded()[:1]


async def test_a_service_that_is_away_and_comes_back(log: Path) -> None:
    async with serving(log) as running:
        port = int(running.internal.rpartition(":")[2])
    async with Ingestion(f"127.0.0.1:{port}", reconnect=(0.05, 0.1)) as ingestion:
        with pytest.raises(IngestionAwayError, match=f"127.0.0.1:{port} doesn't answer"):
            await read(ingestion)
        async with serving(log, port=port):
            assert await _patiently(ingestion) == recorded()
        with pytest.raises(IngestionAwayError):
            await read(ingestion)
        async with serving(log, port=port):
            assert await _patiently(ingestion) == recorded()


async def _patiently(ingestion: Ingestion) -> list[Stored]:
    """Until the channel's own back-off has passed."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await read(ingestion)
            except IngestionAwayError:
                await asyncio.sleep(0.02)


async def test_a_span_larger_than_grpcs_usual_limit(standin: Running, log: Path) -> None:
    large = Stored(b"\xff" * 16, b"s" * 4 * 1024 * 1024, b"r" * 100_000)
    append(log, [large])
    async with Ingestion(standin.internal) as ingestion:
        assert (await read(ingestion))[-1] == large


async def test_an_iterator_that_is_left_ends_the_call(standin: Running) -> None:
    standin.reading.faults.delay = 0.01
    async with Ingestion(standin.internal) as ingestion:
        async with aclosing(ingestion.read(b"", 100)) as entries:
            assert await anext(entries) == recorded()[0]
        assert await read(ingestion, limit=1) == recorded()[:1]


async def test_a_peer_that_never_says_a_word_costs_no_more_than_the_deadline() -> None:
    """A listener that accepts, and that is all."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        async with Ingestion(address, deadline=0.5) as ingestion:
            with pytest.raises((IngestionAwayError, IngestionTimeoutError)):
                await read(ingestion)


async def test_a_connection_that_fell_silent_is_given_up_by_keepalive(standin: Running) -> None:
    """Between the two stands a relay, which stops passing anything on and keeps the connections open."""
    host, _, port = standin.internal.rpartition(":")
    cut, ended = asyncio.Event(), asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not cut.is_set():
                writer.write(data)
        writer.close()
        await writer.wait_closed()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(relay(reader, back), relay(there, writer), return_exceptions=True)
        ended.set()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as between:
        address = f"127.0.0.1:{between.sockets[0].getsockname()[1]}"
        async with Ingestion(address, deadline=20, keepalive=(0.1, 0.1)) as ingestion:
            assert await read(ingestion) == recorded()
            cut.set()
            between.close()
            async with asyncio.timeout(10):
                with pytest.raises(IngestionAwayError):
                    await read(ingestion)
        async with asyncio.timeout(10):
            await ended.wait()

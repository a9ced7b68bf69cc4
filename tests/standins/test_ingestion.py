"""The stand-in ingestion service as its users see it, and its source of spans."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path

import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from backend.errors import BadSpanError
from backend.ingest.decode import decode
from backend.ingest.stored import Stored
from backend.rpc.ingestion import Ingestion
from backend.rpc.server import AuthServer
from tests.standins.ingestion import STARTUP_KEY, serving
from tests.standins.spanlog import SpanLog, append
from tests.standins.spans import Source, Written

ROOT = Path(__file__).parents[2]


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"tests.standins.{module}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


async def read_all(address: str) -> list[Stored]:
    async with Ingestion(address) as ingestion:
        return [entry async for entry in ingestion.read(b"", 10_000)]


async def test_a_killed_process_comes_back_with_the_same_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    entries = list(islice(Source().entries(), 20))
    append(log, entries)
    for _ in range(2):
        with process("ingestion", "--port", "0", "--log", str(log)) as running:
            ready, internal, _ = first_line(running).split()
            assert ready == "ready"
            assert await read_all(internal) == entries


async def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    first, second = islice(Source().entries(), 2)
    append(path, [first, second])
    text = path.read_bytes()
    path.write_bytes(text[:-10])
    log = SpanLog(path)
    log.refresh()
    assert log.entries == [first]
    path.write_bytes(text)
    log.refresh()
    assert log.entries == [first, second]


class Backend:
    """The backend's side of API keys; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def validate(self, key: str) -> bool:
        self.asked[key] += 1
        return key == "good"


@asynccontextmanager
async def exporting(tmp_path: Path) -> AsyncIterator[tuple[Backend, TraceServiceStub, str]]:
    backend = Backend()
    server = AuthServer("127.0.0.1:0", backend.validate)
    async with (
        server,
        serving(tmp_path / "log.jsonl", auth=f"127.0.0.1:{server.port}") as running,
        grpc.aio.insecure_channel(running.public) as channel,
    ):
        yield backend, TraceServiceStub(channel), running.internal


async def test_it_asks_once_before_it_opens_and_remembers_good_keys(tmp_path: Path) -> None:
    span = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="n")
    group = ResourceSpans(resource=Resource(), scope_spans=[ScopeSpans(spans=[span])])
    request = ExportTraceServiceRequest(resource_spans=[group])
    async with exporting(tmp_path) as (backend, otlp, internal):
        assert backend.asked == {STARTUP_KEY: 1}
        for _ in range(3):
            await otlp.Export(request, metadata=(("x-junjo-api-key", "good"),))
        for _ in range(2):
            assert await _refused(otlp, request, "bad") == grpc.StatusCode.UNAUTHENTICATED
        assert await _refused(otlp, request, "") == grpc.StatusCode.UNAUTHENTICATED
        assert backend.asked == {STARTUP_KEY: 1, "good": 1, "bad": 2}
        assert [Span.FromString(entry.span) for entry in await read_all(internal)] == [span] * 3


async def _refused(otlp: TraceServiceStub, request: ExportTraceServiceRequest, key: str) -> grpc.StatusCode:
    metadata = (("x-junjo-api-key", key),) if key else ()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await otlp.Export(request, metadata=metadata)
    return caught.value.code()


def tally(entries: list[Stored]) -> Written:
    """What the backend makes of them."""
    written = Written()
    for entry in entries:
        try:
            rows = decode(entry)
        except BadSpanError:
            written.bad += 1
        else:
            written.spans += 1
            written.patches += len(rows.patches)
    return written


def test_the_source_makes_what_it_says() -> None:
    source = Source(seed=1, bad_every=50)
    entries = list(islice(source.entries(), 2000))
    assert tally(entries) == source.written
    assert source.written.bad == 40
    assert source.written.patches > 500
    assert sorted(entries) == entries
    good = [decode(entry).span for entry in islice(Source(seed=1).entries(), 2000)]
    assert len({(span.trace_id, span.span_id) for span in good}) == 2000
    assert {span.service_name for span in good} == {"shop", "billing", "support"}
    assert {span.junjo_span_type for span in good} == {"workflow", "node", ""}


@pytest.mark.slow
def test_spans_come_at_the_rate_that_was_asked(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with process("spans", "--log", str(log), "--rate", "1000", "--seconds", "1", "--bad-every", "100") as running:
        said = json.loads(first_line(running))
    entries = SpanLog(log)
    entries.refresh()
    assert tally(entries.entries) == Written(**said)
    assert 800 <= len(entries.entries) <= 1000

"""A stand-in for the product's ingestion service: a real gRPC server over a stored log (spanlog.py).

``python -m tests.standins.ingestion --port 0 --log FILE`` prints ``ready HOST:PORT HOST:PORT`` (the internal port,
where spans are read, then the public one, where OTLP comes in) once it serves. As the real service does, with --auth
it first asks the backend one question and opens no port before the answer; it asks about each API key of a client, and
remembers the good ones for an hour. Bad spans are the log's business (spans.py); what goes wrong here is the service.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from backend.ingest.stored import Stored
from backend.rpc.pb.auth_pb2 import ValidateApiKeyRequest
from backend.rpc.pb.auth_pb2_grpc import InternalAuthServiceStub
from backend.rpc.pb.ingestion_pb2 import ReadSpansRequest, ReadSpansResponse
from backend.rpc.pb.ingestion_pb2_grpc import (
    InternalIngestionServiceServicer,
    add_InternalIngestionServiceServicer_to_server,
)

from .spanlog import Keys, SpanLog, append

STARTUP_KEY = "startup-readiness-check"
#: Seconds that a good key is remembered, and that one question may take.
REMEMBERED, ASKING = 3600.0, 5.0

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True)
class Faults:
    """What is wrong with reading; may be changed between calls."""

    #: Seconds before each span that is sent.
    delay: float = 0
    #: Spans after which a call breaks off with `code`; None: never.
    fail_after: int | None = None
    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    #: Calls are taken and never answered.
    hang: bool = False


class Reading(InternalIngestionServiceServicer):
    """ReadSpans; `calls` counts them."""

    def __init__(self, log: SpanLog, faults: Faults) -> None:
        self._log = log
        self.faults = faults
        self.calls = 0

    async def ReadSpans(self, request: ReadSpansRequest, context: Context) -> AsyncIterator[ReadSpansResponse]:
        self.calls += 1
        if self.faults.hang:
            await asyncio.Event().wait()
        self._log.refresh()
        for number, entry in enumerate(self._log.after(request.start_key_ulid, request.batch_size)):
            if number == self.faults.fail_after:
                await context.abort(self.faults.code, "broken off")
            if self.faults.delay:
                await asyncio.sleep(self.faults.delay)
            yield ReadSpansResponse(key_ulid=entry.key, span_bytes=entry.span, resource_bytes=entry.resource)


class Receiving(TraceServiceServicer):
    """OTLP's Export: spans of clients with a good key go into the log."""

    def __init__(self, log: SpanLog, backend: InternalAuthServiceStub | None) -> None:
        self._log = log
        self._keys = Keys(random.Random())
        self._backend = backend
        self._good: dict[str, float] = {}

    async def Export(self, request: ExportTraceServiceRequest, context: Context) -> ExportTraceServiceResponse:
        metadata = dict(context.invocation_metadata() or ())
        if self._backend is not None:
            await self._authorise(str(metadata.get("x-junjo-api-key", "")), context)
        append(
            self._log.path,
            [
                Stored(self._keys.next(), span.SerializeToString(), group.resource.SerializeToString())
                for group in request.resource_spans
                for scope in group.scope_spans
                for span in scope.spans
            ],
        )
        return ExportTraceServiceResponse()

    async def _authorise(self, key: str, context: Context) -> None:
        if not key:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "x-junjo-api-key is not provided")
        if self._good.get(key, 0) > time.monotonic():
            return
        assert self._backend is not None
        try:
            question = ValidateApiKeyRequest(api_key=key)
            answer = await self._backend.ValidateApiKey(question, timeout=ASKING, wait_for_ready=True)
        except grpc.aio.AioRpcError:
            await context.abort(grpc.StatusCode.INTERNAL, "failed to validate API key")
        if not answer.is_valid:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid API key")
        self._good[key] = time.monotonic() + REMEMBERED


@dataclass(frozen=True, slots=True)
class Running:
    """A stand-in that serves; the addresses are host:port."""

    internal: str
    public: str
    reading: Reading


@asynccontextmanager
async def serving(
    log: Path, *, port: int = 0, public_port: int = 0, auth: str | None = None, faults: Faults | None = None
) -> AsyncIterator[Running]:
    """Serve the log until the end of the block; `auth` is the address of the backend's gRPC server."""
    shared = SpanLog(log)
    reading = Reading(shared, faults or Faults())
    async with grpc.aio.insecure_channel(auth or "127.0.0.1:1") as channel:
        backend = InternalAuthServiceStub(channel) if auth else None
        if backend is not None:
            await backend.ValidateApiKey(ValidateApiKeyRequest(api_key=STARTUP_KEY), wait_for_ready=True)
        internal, public = (grpc.aio.server(options=[("grpc.so_reuseport", 0)]) for _ in range(2))
        add_InternalIngestionServiceServicer_to_server(reading, internal)
        add_HealthServicer_to_server(health.HealthServicer(), internal)
        add_TraceServiceServicer_to_server(Receiving(shared, backend), public)
        addresses = [
            f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{wanted}')}"
            for server, wanted in ((internal, port), (public, public_port))
        ]
        try:
            await asyncio.gather(internal.start(), public.start())
            yield Running(addresses[0], addresses[1], reading)
        finally:
            await asyncio.gather(internal.stop(None), public.stop(None))


async def serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    faults = Faults(delay=options.delay_ms / 1000, fail_after=options.fail_after)
    async with serving(
        options.log, port=options.port, public_port=options.public_port, auth=options.auth, faults=faults
    ) as running:
        print(f"ready {running.internal} {running.public}", flush=True)
        await stopped.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.standins.ingestion", description="stand-in ingestion service"
    )
    parser.add_argument("--port", type=int, required=True, help="where spans are read; 0 picks a free one")
    parser.add_argument("--public-port", type=int, default=0, help="where OTLP comes in; 0 picks a free one")
    parser.add_argument("--log", type=Path, required=True, help="JSON lines; made if it isn't there")
    parser.add_argument("--auth", help="host:port of the backend's gRPC server; without it every key is good")
    parser.add_argument("--delay-ms", type=float, default=0, help="before each span that is sent")
    parser.add_argument("--fail-after", type=int, help="spans after which every call breaks off")
    asyncio.run(serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()

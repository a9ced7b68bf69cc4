"""Reads spans from the ingestion service over gRPC.

One channel for as long as the backend runs: gRPC reconnects it by itself, with jitter, and looks the name up again
each time. What to do when nobody answers is the poller's business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import monotonic

import grpc.aio

from ..errors import IngestionAwayError, IngestionError, IngestionTimeoutError
from ..ingest.stored import Stored
from .address import Address
from .observe import Observe, ignore
from .pb.ingestion_pb2 import ReadSpansRequest, ReadSpansResponse
from .pb.ingestion_pb2_grpc import InternalIngestionServiceStub

#: Seconds for one batch, from the call to its last span.
DEADLINE = 30.0
#: Seconds of silence within a call after which the connection itself is tried, and how long that may take: a peer that
#: vanished without a word would else cost a deadline each time. At most once a call, and never between calls: Go's
#: server closes a connection on which it answers nothing and is pinged four times in five minutes.
KEEPALIVE, KEEPALIVE_TIMEOUT = 15.0, 5.0
#: Seconds between attempts to connect: at first, and at most.
RECONNECT_FIRST, RECONNECT_MAX = 0.2, 5.0
#: The ingestion service takes spans of up to 4 MB, which gRPC's usual limit of 4 MB wouldn't let through with their
#: resource; such a span would then stop everything behind it for ever.
MESSAGE_MAX = 64 * 1024 * 1024


class Ingestion:
    """The ingestion service at `address`; an async context manager, which keeps its channel.

    `keepalive` and `reconnect` are settable for tests. `observe` is told of every call.
    """

    def __init__(
        self,
        address: str,
        *,
        deadline: float = DEADLINE,
        keepalive: tuple[float, float] = (KEEPALIVE, KEEPALIVE_TIMEOUT),
        reconnect: tuple[float, float] = (RECONNECT_FIRST, RECONNECT_MAX),
        observe: Observe = ignore,
    ) -> None:
        self._target = str(Address.parse(address, "INGESTION_GRPC_ADDRESS"))
        self._deadline = deadline
        self._observe = observe
        self._options = [
            ("grpc.max_receive_message_length", MESSAGE_MAX),
            ("grpc.keepalive_time_ms", int(keepalive[0] * 1000)),
            ("grpc.keepalive_timeout_ms", int(keepalive[1] * 1000)),
            ("grpc.keepalive_permit_without_calls", 0),
            # One ping at a time: a bandwidth probe that went unanswered would hold keepalive's back for a minute.
            ("grpc.http2.ping_timeout_ms", int(keepalive[1] * 1000)),
            ("grpc.initial_reconnect_backoff_ms", int(reconnect[0] * 1000)),
            ("grpc.max_reconnect_backoff_ms", int(reconnect[1] * 1000)),
        ]

    async def __aenter__(self) -> Ingestion:
        """Nothing is connected before the first read."""
        self._channel = grpc.aio.insecure_channel(self._target, options=self._options)
        self._stub = InternalIngestionServiceStub(self._channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def read(self, after: bytes, limit: int) -> AsyncGenerator[Stored, None]:
        """At most `limit` entries after the key `after` (empty: from the oldest), in the order of the log.

        Entries that came before an error are good. Close the iterator if it isn't read to its end.

        Raises:
            IngestionAwayError: nobody answers, or the connection broke.
            IngestionTimeoutError: the batch took longer than the deadline.
            IngestionError: the service refused, with its code and text.
        """
        started = monotonic()
        code = "CANCELLED"
        call: grpc.aio.UnaryStreamCall[ReadSpansRequest, ReadSpansResponse] = self._stub.ReadSpans(
            ReadSpansRequest(start_key_ulid=after, batch_size=limit), timeout=self._deadline
        )
        try:
            async for entry in call:
                yield Stored(entry.key_ulid, entry.span_bytes, entry.resource_bytes)
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise self._translate(error) from None
        finally:
            call.cancel()
            self._observe("ReadSpans", code, monotonic() - started)

    def _translate(self, error: grpc.aio.AioRpcError) -> IngestionError:
        where, details = f"the ingestion service at {self._target}", error.details() or "no reason given"
        match error.code():
            case grpc.StatusCode.UNAVAILABLE:
                return IngestionAwayError(f"{where} doesn't answer: {details}")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return IngestionTimeoutError(f"{where} didn't finish a batch within {self._deadline:g} s")
            case code:
                return IngestionError(f"{where} refused to send spans: {code.name}: {details}")

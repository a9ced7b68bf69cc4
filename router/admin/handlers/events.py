"""The stream of events: the status once a second, each decision at once (server-sent events, WHATWG HTML 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from time import monotonic

import orjson
from starlette.responses import Response, StreamingResponse

from ...errors import RefusedError
from ..operation import Call
from .status import describe_all

#: Seconds between snapshots; they are the heartbeat, too.
EVERY = 1.0
#: Open streams; each costs a snapshot a second.
STREAMS_MAX = 32

_MEDIA_TYPE = "text/event-stream"


async def get_events(call: Call) -> Response:
    if call.request.method == "HEAD":
        return Response(media_type=_MEDIA_TYPE)
    if call.rollouts.feed.listeners >= STREAMS_MAX:
        raise RefusedError(f"{STREAMS_MAX} streams are open already; close one", 503, "too_many_streams")
    return StreamingResponse(_events(call), media_type=_MEDIA_TYPE)


async def _events(call: Call) -> AsyncIterator[bytes]:
    """Ends when the client goes: Starlette then closes the generator."""
    with call.rollouts.feed.listen() as queue:
        while True:
            yield b"event: status\ndata: %b\n\n" % describe_all(call).model_dump_json().encode()
            due = monotonic() + EVERY
            while (left := due - monotonic()) > 0:
                try:
                    async with asyncio.timeout(left):
                        decided = await queue.get()
                except TimeoutError:
                    break
                yield b"event: decision\nid: %d\ndata: %b\n\n" % (decided.id, orjson.dumps(asdict(decided)))

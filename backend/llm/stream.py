"""Server-sent events as OpenAI sends them, over ASGI: a ``data:`` line a piece, ``[DONE]`` at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
from loguru import logger

from ..web.body import DisconnectedError
from .chat import error as error_body
from .departure import while_present
from .errors import ProviderError
from .native.provider import Fields

_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx and its like gather a stream unless they are told not to.
    (b"x-accel-buffering", b"no"),
)
DONE = b"data: [DONE]\n\n"
#: Sent when a provider was silent for `HEARTBEAT` to twice as many seconds. A client that has closed its connection
#: shows only when something is written to it: for all that a proxy knows, it may still be reading.
COMMENT = b": waiting\n\n"
HEARTBEAT = 0.3


class EventStream:
    """An answer whose first piece is there already, so that an error before it could still have a status.

    Each piece goes out as it comes. If the client leaves, `pieces` is closed at once. A provider's error in between
    becomes the last event, and no ``[DONE]`` follows it.
    """

    def __init__(self, first: Fields, pieces: AsyncGenerator[Fields, None]) -> None:
        self._first = first
        self._pieces = pieces
        self._silent = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with aclosing(self._pieces):
            try:
                await while_present(receive, self._send_all(send))
            except DisconnectedError:
                pass  # nobody is there to be told

    async def _send_all(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        await send(_body(_event(self._first)))
        last = DONE
        beating = asyncio.create_task(self._beat(send))
        try:
            async for piece in self._pieces:
                self._silent = False
                await send(_body(_event(piece)))
        except ProviderError as error:
            logger.warning("a streamed answer broke off: {}", error)
            last = _event(error_body(str(error), error.status, error.label))
        finally:
            beating.cancel()
        await send(_body(last, more=False))

    async def _beat(self, send: Any) -> None:
        while True:
            self._silent = True
            await asyncio.sleep(HEARTBEAT)
            if self._silent:
                await send(_body(COMMENT))


def _event(content: Fields) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(content)


def _body(data: bytes, more: bool = True) -> Fields:
    return {"type": "http.response.body", "body": data, "more_body": more}

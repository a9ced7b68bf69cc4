"""Watches a provider's stream of events go by: one that isn't whole must not pass for a short answer.

litellm reads an end in the middle of an event, an event that isn't JSON, or a page of HTML as an answer that ended
well. So the stream is looked at below it, on its way out of httpx, and breaks off with an error instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson

#: Data of an event → whether the answer is whole with it.
Ends = Callable[[Any], bool]


class BrokenStreamError(httpx.TransportError):
    """The text says what is wrong with the stream; it may be the provider's."""


class UnreachableError(httpx.TransportError):
    """No answer came; the text is httpx's."""


class OneTry(httpx.AsyncClient):
    """A client whose failures litellm leaves alone.

    At httpx's ConnectError and RemoteProtocolError it would send the request again, through an unguarded client of its
    own: a call that the provider has taken could cost twice.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            return await super().send(request, **options)
        except (httpx.ConnectError, httpx.RemoteProtocolError) as error:
            raise UnreachableError(str(error), request=request) from error


def guarding(ends: Ends) -> Callable[[httpx.Response], Awaitable[None]]:
    """A response hook for an httpx client that streams."""

    async def hook(response: httpx.Response) -> None:
        if response.status_code != 200:
            return
        kind = response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise BrokenStreamError(f"it isn't a stream of events but {kind or 'of no type'}")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = WholeStream(response.stream, ends)

    return hook


class WholeStream(httpx.AsyncByteStream):
    """`stream` unchanged, until it proves broken."""

    def __init__(self, stream: httpx.AsyncByteStream, ends: Ends) -> None:
        self._stream = stream
        self._ends = ends
        self._rest = b""
        self._whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            *lines, self._rest = (self._rest + piece).split(b"\n")
            for line in lines:
                self._see(line)
            yield piece
        self._see(self._rest)
        if not self._whole:
            raise BrokenStreamError("the stream ended before the answer was whole")

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _see(self, line: bytes) -> None:
        """One line of server-sent events; each of these providers writes an event's data on one."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self._whole = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise BrokenStreamError("an event of the stream isn't JSON") from None
        if isinstance(event, dict) and (error := event.get("error")):
            raise BrokenStreamError(str(error.get("message", error)) if isinstance(error, dict) else str(error))
        self._whole = self._whole or self._ends(event)

"""Streams that are whole pass unchanged, however they are cut; others break off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from backend.llm.guard import BrokenStreamError, OneTry, UnreachableError, WholeStream, guarding

WHOLE = b'event: x\r\ndata: {"a": 1}\r\n\r\n: comment\n\ndata: {"last": true}\n\n'
WITH_DONE = b'data: {"a": 1}\n\ndata: [DONE]\n\n'


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def read(pieces: list[bytes]) -> bytes:
    stream = WholeStream(Pieces(pieces), lambda event: bool(event.get("last")))
    return b"".join([piece async for piece in stream])


@pytest.mark.parametrize("whole", [WHOLE, WITH_DONE, WITH_DONE.rstrip(b"\n")])
async def test_whole(whole: bytes) -> None:
    for at in range(len(whole)):
        assert await read([whole[:at], whole[at:]]) == whole
    assert await read([whole[at : at + 1] for at in range(len(whole))]) == whole


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (b"", "ended before"),
        (b'data: {"a": 1}\n\n', "ended before"),
        (b'data: {"a": 1}\n\ndata: {"la', "isn't JSON"),
        (b"data: {nope}\n\ndata: [DONE]\n\n", "isn't JSON"),
        (b'data: {"error": {"message": "Overloaded"}}\n\n', "^Overloaded$"),
        (b'data: {"error": "Overloaded"}\n\n', "^Overloaded$"),
    ],
)
async def test_broken(broken: bytes, text: str) -> None:
    for at in range(len(broken) or 1):
        with pytest.raises(BrokenStreamError, match=text):
            await read([broken[:at], broken[at:]])


async def test_only_streams_are_guarded() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        status = int(request.url.path[1:])
        return httpx.Response(status, text="<html>", headers={"content-type": "text/html"})

    hook = guarding(lambda event: False)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), event_hooks={"response": [hook]}) as client:
        assert (await client.get("http://x/429")).text == "<html>"
        with pytest.raises(BrokenStreamError, match="but text/html"):
            await client.get("http://x/200")


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.RemoteProtocolError("cut")])
async def test_one_try(error: httpx.TransportError) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    async with OneTry(transport=httpx.MockTransport(fail)) as client:
        with pytest.raises(UnreachableError, match=str(error)):
            await client.get("http://x/")

"""OpenAI, Anthropic and Gemini as one local HTTP server: replays the record, streams in step with a test, misbehaves.

What a request gets is decided by its model: a script that a test registered under that name, else the recorded answer
to exactly this request, else 404. A script is a coroutine function over the `Exchange`; it can wait for the test at any
point, so tests need no clock.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

RECORD = Path(__file__).parents[1] / "contract" / "record" / "llm_upstream.json"
#: Where each provider's API lies on this server.
PREFIXES = {"openai": "/openai/v1", "anthropic": "/anthropic", "gemini": "/gemini"}
_RECORDED = {
    "https://api.openai.com/v1": "/openai/v1",
    "https://api.anthropic.com": "/anthropic",
    "https://generativelanguage.googleapis.com": "/gemini",
}

Script = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the means to answer it. `gone` is set when the caller has closed or reset the connection."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Any
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self) -> str:
        """As the body or, for Gemini, the path names it."""
        if isinstance(self.body, dict) and "model" in self.body:
            return str(self.body["model"])
        return unquote(urlsplit(self.target).path.rpartition("/models/")[2].partition(":")[0])

    async def answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer; a body that isn't text or bytes goes out as JSON."""
        if not isinstance(body, str | bytes):
            body = json.dumps(body)
        payload = body.encode() if isinstance(body, str) else body
        await self._head(status, {"content-type": "application/json", **(headers or {})} | _length(payload))
        await self.raw(payload)

    async def begin(self) -> None:
        """The head of a stream of server-sent events."""
        await self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})

    async def event(self, data: Any, name: str | None = None) -> None:
        """One event in a chunk of its own; text goes out as it is."""
        text = data if isinstance(data, str) else json.dumps(data)
        await self.chunk((f"event: {name}\n" if name else "") + f"data: {text}\n\n")

    async def chunk(self, text: str) -> None:
        payload = text.encode()
        await self.raw(b"%x\r\n%b\r\n" % (len(payload), payload))

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def raw(self, payload: bytes) -> None:
        self.writer.write(payload)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST."""
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items())]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())


class Providers:
    """`async with Providers() as providers`: listens on a free port of the running loop."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []
        self.scripts: dict[str, Script] = {}
        self._recorded = json.loads(RECORD.read_text())
        self._server: asyncio.Server
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    def environment(self, keys: Mapping[str, str] | None = None) -> dict[str, str]:
        """Settings that lead a backend here; by default with the record's keys."""
        keys = keys or {"openai": "sk-openai-test", "anthropic": "sk-ant-test", "gemini": "gem-test"}
        found = {}
        for name, key in keys.items():
            found[f"{name.upper()}_API_KEY"] = key
            found[f"{name.upper()}_BASE_URL"] = f"http://127.0.0.1:{self.port}{PREFIXES[name]}"
        return found

    async def __aenter__(self) -> Providers:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (exchange := await _read(reader, writer)) is not None:
                self.seen.append(exchange)
                await self._serve(exchange, reader)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, exchange: Exchange, reader: asyncio.StreamReader) -> None:
        """Run the script; what the caller sends meanwhile can only be its leaving."""

        async def watch() -> None:
            try:
                await reader.read(1)
            except ConnectionError:
                pass
            exchange.gone.set()

        watching = asyncio.create_task(watch())
        try:
            await self.scripts.get(exchange.model, self._replay)(exchange)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _replay(self, exchange: Exchange) -> None:
        for entry in self._recorded:
            sent = entry["sent"]
            if (exchange.method, exchange.target, exchange.body) != (sent["method"], _here(sent["url"]), sent["body"]):
                continue
            if all(exchange.headers.get(name) == value for name, value in sent["headers"].items()):
                await exchange.answer(entry["answered"]["status"], entry["answered"]["body"])
                return
        await exchange.answer(404, {"error": {"message": f"not recorded: {exchange.method} {exchange.target}"}})


@contextmanager
def running_providers() -> Iterator[Providers]:
    """The providers in a thread of their own, for callers without a loop; scripts run on that loop."""
    with asyncio.Runner() as runner:
        providers = Providers()
        ready, over = threading.Event(), asyncio.Event()

        async def run() -> None:
            async with providers:
                ready.set()
                await over.wait()

        thread = threading.Thread(target=runner.run, args=(run(),))
        thread.start()
        try:
            assert ready.wait(10), "the stand-in providers don't listen"
            yield providers
        finally:
            runner.get_loop().call_soon_threadsafe(over.set)
            thread.join()


def _here(url: str) -> str:
    """A recorded address as a target on this server."""
    base = next(base for base in _RECORDED if url.startswith(base))
    return _RECORDED[base] + url[len(base) :]


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
    """The next request of a connection; None when there is none."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Exchange(method, target, headers, json.loads(body) if body else None, writer)


def _length(payload: bytes) -> dict[str, str]:
    return {"content-length": str(len(payload))}

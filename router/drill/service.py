"""The synthetic arms: an HTTP service in this process that misbehaves when told to, and counts its requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .faults import Fault

SECONDS, SLOW_SECONDS = 0.02, 0.06
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
_WRONG = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"


class Service:
    """One arm. `requests` counts since `begin`; health checks are answered well and not counted."""

    def __init__(self) -> None:
        self.requests = 0
        self.port = 0
        self._fault: Fault | None = None
        self._healed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def begin(self, fault: Fault) -> None:
        self._fault, self.requests = fault, 0
        self._healed.clear()
        if fault == "refused":
            await self.stop()

    async def heal(self) -> None:
        refused, self._fault = self._fault == "refused", None
        self._healed.set()
        if refused:
            await self.start()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_OK if head.startswith(b"GET /ping ") else await self._answer())
                    await writer.drain()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self) -> bytes:
        self.requests += 1
        fault = self._fault
        if fault == "hang":
            await self._healed.wait()
        await asyncio.sleep(SLOW_SECONDS if fault == "latency" else SECONDS)
        if fault == "errors":
            return _ERROR if self.requests % 2 else _OK
        return _WRONG if fault == "statuses" else _OK

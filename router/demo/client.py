"""One keep-alive HTTP/1.1 connection of a simulated user, on asyncio streams.

Only what the demo asks for. It exists because the load must not starve the router beside it: measured, a request
costs 0.1 to 0.2 ms of CPU here and 1.3 to 1.8 ms with httpx. A
truncated or unframed answer is an error, never a short body.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

#: What a request can end in, other than an answer. TimeoutError is an OSError.
FAILURES = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)

#: 1xx answers before the final one.
_INTERIM_MAX = 8


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer: header names in lower case, the last one wins; `cookies` are name → value as set."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes


class Connection:
    """Requests go one at a time; after any failure the connection is only good for `close`."""

    __slots__ = ("_reader", "_writer")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        return cls(*await asyncio.open_connection(host, port))

    async def request(self, octets: bytes) -> Response:
        """Send a whole request, read the whole answer; raises one of `FAILURES`."""
        self._writer.write(octets)
        for _ in range(_INTERIM_MAX):
            status, headers, cookies = _parse_head(await self._reader.readuntil(b"\r\n\r\n"))
            if status >= 200:
                return Response(status, headers, cookies, await self._body(headers))
        raise ValueError("too many interim answers")

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return await self._chunks()
        return await self._reader.readexactly(int(headers["content-length"]))

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            pieces.append(await self._reader.readexactly(size))
            await self._end_of_line()
        await self._end_of_line()
        return b"".join(pieces)

    async def _end_of_line(self) -> None:
        if await self._reader.readexactly(2) != b"\r\n":
            raise ValueError("chunk without its end")

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:  # a peer that reset is closed as well
            pass


def _parse_head(octets: bytes) -> tuple[int, dict[str, str], dict[str, str]]:
    status_line, *lines = octets.decode("latin-1")[:-4].split("\r\n")
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
        if name.lower() == "set-cookie":
            cookie, _, content = value.split(";", 1)[0].strip().partition("=")
            cookies[cookie] = content
    if not status_line.startswith("HTTP/1.1 "):
        raise ValueError(f"not an HTTP/1.1 answer: {status_line[:40]!r}")
    status = int(status_line[9:12])
    if status >= 200 and "content-length" not in headers and "transfer-encoding" not in headers:
        raise ValueError("the answer is not framed, so its end can't be told from a truncation")
    return status, headers, cookies

"""One HTTP/1.1 connection of a simulated client, which tells exactly how an exchange failed.

A failure before the first byte of an answer (``closed``, ``reset``) is another thing than one in its middle
(``truncated``): after the first a careful client may ask again, after the second it holds half an answer.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

_INTERIM_MAX = 16


class Failed(Exception):
    """`kind`: refused, reset, closed, truncated, timeout, malformed, wrong, or a status as text."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Answer:
    """Fields by their names in lower case, the last one wins."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.fields.get("connection", "").lower() == "close"


class Connection:
    """Requests go one at a time; after any failure it is only good for `close`."""

    __slots__ = ("_reader", "_writer")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None) -> Connection:
        try:
            return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))
        except ConnectionRefusedError:
            raise Failed("refused") from None
        except OSError:
            raise Failed("reset") from None

    @property
    def ended(self) -> bool:
        """Whether the other side has closed, as every client looks before it reuses a connection."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def ask(self, octets: bytes) -> Answer:
        """Send a whole request, read the whole answer; raises `Failed`."""
        self._writer.write(octets)
        head = await self._first()
        try:
            for _ in range(_INTERIM_MAX):
                status, fields = _parse(head)
                if status >= 200:
                    return Answer(status, fields, await self._body(fields))
                head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            raise Failed("truncated") from None
        except (ValueError, LookupError):
            raise Failed("malformed") from None
        raise Failed("malformed")

    async def _first(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise Failed("truncated" if error.partial else "closed") from None
        except OSError:
            raise Failed("reset") from None

    async def _body(self, fields: dict[str, str]) -> bytes:
        if fields.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(fields["content-length"]))
        pieces = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            pieces.append(await self._reader.readexactly(size))
            await self._line_end()
        await self._line_end()
        return b"".join(pieces)

    async def _line_end(self) -> None:
        if await self._reader.readexactly(2) != b"\r\n":
            raise ValueError("a chunk without its end")

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass  # a peer that reset is closed as well


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    start, *lines = head.decode("latin-1")[:-4].split("\r\n")
    if not start.startswith("HTTP/1.1 "):
        raise ValueError(start[:40])
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return int(start[9:12]), fields

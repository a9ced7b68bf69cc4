"""An upstream process that repeats each request's id, and misbehaves in one chosen way.

``python -m tests.faults.upstream --port 0 --name canary --fault reset-body`` prints one line with its port when it
accepts; GET /fault?name=hang&every=2 changes the fault while it runs, and is answered with how many requests there
were since the last change. /ping is always answered well: these are faults that health checks don't see. Well-behaved
services with product endpoints are tests/standins; this one is for what goes wrong on the wire.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

PIECE = bytes(256 * 1024)
SLOW_SECONDS, STRETCH_SECONDS = 0.3, 0.04
#: How long after an answer what doesn't belong there is sent: the connection lies idle then, or is used again.
LATE_SECONDS = 0.002
#: What a slow sink takes, in bytes at a time and seconds between.
SIP_BYTES, SIP_SECONDS = 1024, 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """A head; its body of `length` bytes is still to be read."""

    method: str
    path: str
    query: dict[str, list[str]]
    unique: str
    length: int

    def number(self, name: str) -> int:
        return int(self.query[name][0])


class Service:
    """Answers everything on one port; `every` n-th request is hit by the fault."""

    def __init__(self, name: str, fault: str, every: int) -> None:
        self._name = name
        self._fault = FAULTS[fault]
        self._every = every
        self._count = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._ended = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _head(reader)) is not None and not writer.is_closing():
                await self._answer(request, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass  # the router went away
        finally:
            self._open.discard(writer)
            self._ended.set()
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.path == "/bytes":
            await _send_bytes(request.number("n"), writer)
            return
        if request.path == "/sink":
            count = await _drink(request, reader)
            writer.write(self._echo(request, str(count)))
            return
        if request.path == "/late":
            await self._send_late(request, writer)
            writer.write(self._echo(request, ""))
            return
        if request.path == "/fault":
            writer.write(self._echo(request, str(self._count)))
            if request.query:
                self._fault, self._every, self._count = FAULTS[request.query["name"][0]], request.number("every"), 0
            return
        body = (await reader.readexactly(request.length)).decode()
        if request.path == "/slow":
            await asyncio.sleep(request.number("ms") / 1000)
        self._count += request.path != "/ping"
        if request.path == "/ping" or self._count % self._every:
            writer.write(self._echo(request, body))
        else:
            await self._fault(self._echo(request, body), reader, writer)

    async def _send_late(self, request: Request, asking: asyncio.StreamWriter) -> None:
        """Write on every other connection what nobody asked for; returns when the router has closed them all."""
        others = self._open - {asking}
        for other in others:
            other.write(self._echo(request, "") if "answer" in request.query else b"x")
        while others & self._open:
            self._ended.clear()
            await self._ended.wait()

    def _echo(self, request: Request, body: str) -> bytes:
        content = {"service": self._name, "id": request.unique, "method": request.method, "body": body}
        payload = json.dumps(content).encode()
        head = f"HTTP/1.1 200 OK\r\nX-Unique: {request.unique}\r\nContent-Length: {len(payload)}\r\n\r\n"
        return head.encode() + payload


async def _head(reader: asyncio.StreamReader) -> Request | None:
    try:
        octets = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = octets.decode("latin-1")[:-4].split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = start.split(" ")
    parts = urlsplit(target)
    return Request(
        method, parts.path, parse_qs(parts.query), fields.get("x-unique", ""), int(fields.get("content-length", 0))
    )


async def _send_bytes(count: int, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    while count and not writer.is_closing():
        writer.write(PIECE[:count])
        count -= min(count, len(PIECE))
        await writer.drain()


async def _drink(request: Request, reader: asyncio.StreamReader) -> int:
    """Take the body as it comes, or in sips."""
    slow = "slow" in request.query
    left = request.length
    while left and (piece := await reader.read(min(left, SIP_BYTES if slow else len(PIECE)))):
        left -= len(piece)
        if slow:
            await asyncio.sleep(SIP_SECONDS)
    return request.length - left


# The faults. Each gets the right answer, and what the router sends further.

Fault = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _well(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer)


async def _hang(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
    writer.close()


async def _slow(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(SLOW_SECONDS)
    writer.write(answer)


async def _stretch(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(STRETCH_SECONDS)
    writer.write(answer)


async def _error(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer.replace(b" 200 OK", b" 500 Internal Server Error", 1))


async def _close_after(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer)
    writer.close()


async def _stray(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer)
    await asyncio.sleep(LATE_SECONDS)
    writer.write(b"x")


async def _twice(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer + answer)


async def _twice_late(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer)
    await asyncio.sleep(LATE_SECONDS)
    writer.write(answer)


async def _reset_body(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer[:-20])
    await asyncio.sleep(LATE_SECONDS)  # a reset would throw away what the router hasn't read yet
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _truncate_chunks(answer: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head, _sep, payload = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    start = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
    writer.write(start + b"\r\n\r\n%x\r\n%b\r\n" % (len(payload), payload))
    await asyncio.sleep(LATE_SECONDS)
    writer.close()


FAULTS: dict[str, Fault] = {
    "none": _well,
    "hang": _hang,
    "slow": _slow,
    "stretch": _stretch,
    "error": _error,
    "close-after": _close_after,
    "stray": _stray,
    "twice": _twice,
    "twice-late": _twice_late,
    "reset-body": _reset_body,
    "truncate-chunks": _truncate_chunks,
}


async def _serve(options: argparse.Namespace) -> None:
    service = Service(options.name, options.fault, options.every)
    server = await asyncio.start_server(service.connected, "127.0.0.1", options.port, limit=1 << 20, backlog=1024)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.upstream")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--name", choices=("stable", "canary"), required=True)
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--every", type=int, default=1)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()

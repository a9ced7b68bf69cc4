"""One worker's data plane without sockets: a real core on a real table, transports that only remember.

A `Wire` is driven by what its peers do (`Peer.send`, `Peer.leave`, `Peer.take`) and read by what they got. Time moves
only by `Wire.later`. Nothing about a particular rule belongs here.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, cast

import orjson

from router.config import Settings
from router.counters import Totals
from router.proxy.core import Core
from router.proxy.downstream import Downstream
from router.table import ARMS, CANARY, STABLE, Routing, Table

CLIENT = ("192.0.2.7", 4321)
STABLE_PORT, CANARY_PORT = 1001, 1101

_OURS = re.compile(rb"(?:X-Forwarded-[A-Za-z]+|Forwarded|X-Request-Id|X-Cutover-Arm|Date): [^\r]*\r\n")


def get(path: bytes = b"/", *fields: bytes, method: bytes = b"GET", user: bytes = b"u") -> bytes:
    """A request head; `user` spares it the router's Set-Cookie."""
    lines = (method + b" " + path + b" HTTP/1.1", b"Host: h", b"Cookie: cutover_id=" + user, *fields, b"", b"")
    return b"\r\n".join(lines)


def post(body: bytes, *fields: bytes, method: bytes = b"POST", user: bytes = b"u") -> bytes:
    return get(b"/", b"Content-Length: %d" % len(body), *fields, method=method, user=user) + body


def ok(body: bytes = b"ok", *fields: bytes) -> bytes:
    """An upstream's answer."""
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields, b"", body))


def plain(data: bytes) -> bytes:
    """`data` without the field lines that the router adds to every message."""
    return _OURS.sub(b"", data)


class Peer(asyncio.Transport):
    """The other end of a connection of ours, as a transport: what it got, and whether it takes any more."""

    def __init__(self, protocol: asyncio.Protocol, address: tuple[str, int]) -> None:
        super().__init__()
        self.protocol = protocol
        self.address = address
        self.got = b""  # since the last `read`
        self.reads = True  # whether we read from it
        self.ended = False  # by us, in that direction
        self.closed = False  # by us
        self.aborted = False
        self.takes = True  # what we write
        self.waiting = 0  # bytes it has not taken
        self._high = 64 * 1024
        self._is_full = False
        self._is_lost = False
        self._loop = asyncio.get_running_loop()
        self.socket, self.far = socket.socketpair()
        protocol.connection_made(self)

    # What the other side does.

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            assert self.reads, "a real loop delivers nothing while reading is paused"
            if not self._is_lost:
                self.protocol.data_received(piece)

    def end(self) -> None:
        """Send no more."""
        if not self.protocol.eof_received():
            self.close()

    def leave(self, error: Exception | None = None) -> None:
        """Be gone at once."""
        self._lose(error or ConnectionResetError())

    def take(self, size: int) -> None:
        """Take some of what waits."""
        self.waiting = max(0, self.waiting - size)
        if self._is_full and self.waiting <= self._high // 4:
            self._is_full = False
            self.protocol.resume_writing()
        if self.closed and not self.waiting:
            self._loop.call_soon(self._lose, None)

    def read(self) -> bytes:
        """What came since the last call."""
        got, self.got = self.got, b""
        return got

    # asyncio.Transport, as the router sees it.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast(asyncio.Protocol, protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": self.address, "socket": self.socket}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed or not data:
            return
        assert not self.ended, "written after the end of writing"
        self.got += bytes(data)
        if not self.takes:
            self.waiting += len(data)
            if self.waiting > self._high and not self._is_full:
                self._is_full = True
                self.protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        assert self.reads, "paused twice"
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads, "resumed without a pause"
        self.reads = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.reads = False
            if not self.waiting:
                self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        if not self._is_lost:
            self.closed = self.aborted = True
            self.waiting = 0
            self._loop.call_soon(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self.closed = True
            self.protocol.connection_lost(error)
            self.socket.close()

    def drop(self) -> None:
        """Free what the test leaves behind."""
        self.socket.close()
        self.far.close()


class Loop:
    """The running loop, but connections are made to peers of the wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._real = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int, **_: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        wire = self._wire
        wire.attempts.append(port)
        outcomes = wire.outcomes.get(port)
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
        elif outcome is not None:
            raise outcome
        protocol = factory()
        peer = Peer(protocol, (host, port))
        wire.upstreams.append(peer)
        return peer, protocol


class Wire:
    """A core with clients on one side and upstreams on the other."""

    def __init__(self, folder: Path, stable: int = 1, canary: int = 1, weight: int = 0, **changes: Any) -> None:
        self.attempts: list[int] = []  # ports, as connections to them were tried
        #: What trying to connect brings, one try each, and success after that; an event holds it up.
        self.outcomes: dict[int, list[Exception | asyncio.Event]] = {}
        self.upstreams: list[Peer] = []  # in the order in which they were connected
        self.clients: list[Peer] = []
        self.table = Table.create()
        urls = {
            "stable": [f"http://127.0.0.1:{STABLE_PORT + number}" for number in range(stable)],
            "canary": [f"http://127.0.0.1:{CANARY_PORT + number}" for number in range(canary)],
        }
        for arm, name in enumerate(ARMS):
            self.table.set_up(arm, [True] * len(urls[name]))
        self.publish(weight)
        settings = Settings.model_validate({"state": folder / "cutover.db", "workers": 1} | urls | changes)
        loop = cast(asyncio.AbstractEventLoop, Loop(self))
        self.core = Core(settings, self.table, self.table.block(0), loop)

    def publish(self, weight: int, routes: list[dict[str, Any]] | None = None) -> None:
        self.table.publish(Routing(weight, 1, orjson.dumps(routes or [])))

    def client(self, scheme: bytes = b"http", address: tuple[str, int] = CLIENT) -> Peer:
        peer = Peer(cast(asyncio.Protocol, Downstream(self.core, scheme)), address)
        self.clients.append(peer)
        return peer

    @property
    def upstream(self) -> Peer:
        """The one connected last."""
        return self.upstreams[-1]

    async def settle(self) -> None:
        """Let everything that is due on the loop happen."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def ask(self, client: Peer, request: bytes) -> Peer:
        """Send a request and return the upstream that has got it; what upstreams got before is forgotten."""
        for peer in self.upstreams:
            peer.read()
        client.send(request)
        await self.settle()
        (found,) = [peer for peer in self.upstreams if peer.got]
        return found

    async def serve(self, client: Peer, request: bytes, answer: bytes) -> tuple[bytes, bytes]:
        """One whole exchange: (what the upstream saw, what the client saw)."""
        upstream = await self.ask(client, request)
        upstream.send(answer)
        await self.settle()
        return upstream.read(), client.read()

    async def later(self, seconds: float) -> None:
        """Move the clock and do what two of its ticks do. Deadlines begin at the machine's time, so move it forward."""
        core = self.core
        core.now = now = monotonic() + seconds
        for _ in range(2):  # a request that waits for its answer is found overdue first
            for swept in [found for found in core.swept if found.deadline <= now]:
                swept.expire(now)
        for stalled in list(core.stalled):
            stalled.check_stall(now)
        core.drop_gone()
        for pool in core.pools:
            pool.tick(now)
        await self.settle()

    @property
    def totals(self) -> Totals:
        return Totals(self.table)

    def counted(self) -> list[tuple[str, str, str]]:
        """(arm, assigned by, code) of every request so far."""
        return sorted((key.arm, key.assigned_by, key.code) for key in self.totals.series())

    def errors(self) -> dict[tuple[str, str], int]:
        """Upstream failures so far: (arm, kind) → number."""
        return {key: number for key, number in self.totals.errors().items() if number}

    def client_errors(self) -> dict[str, int]:
        return {kind: number for kind, number in self.totals.client_errors().items() if number}

    async def close(self) -> None:
        for peer in (*self.clients, *self.upstreams):
            peer.abort()
        await self.settle()
        for peer in (*self.clients, *self.upstreams):
            peer.drop()
        os.close(self.table.fd)


MakeWire = Callable[..., Wire]
__all__ = ["CANARY", "CANARY_PORT", "STABLE", "STABLE_PORT", "MakeWire", "Peer", "Wire", "get", "ok", "plain", "post"]

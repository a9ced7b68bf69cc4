"""What all connections of one worker share: settings, the split in force, pools, counters and the coarse clock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import monotonic, time
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import orjson

from ..config import Settings
from ..counters import ACTIVE, BUSY, CLIENTS, IDLE, QUEUED, TUNNELS, Counters
from ..split import Identifier, Routes, Split
from ..table import CANARY, GAUGES, GENERATION, SEEN_GENERATION, STABLE, Block, Table
from ..wire.fields import HeadLimits
from ..wire.forwarded import networks
from ..wire.recall import RecallingParser
from ..wire.response import ResponseParser
from .pool import Pool
from .presence import has_left

if TYPE_CHECKING:
    from .downstream import Downstream
    from .tunnel import Tunnel
    from .upload import Incoming

#: Seconds in which a connection that was accepted while the worker drains has to start its request.
LATE_HEAD: Final = 1.0
#: Seconds between sweeps: the slack of every timer. 1,000 connections cost about 60 µs a sweep.
TICK: Final = 0.1
_RANDOM_BYTES: Final = 4096
_ARM_LINES: Final = (b"\r\nX-Cutover-Arm: stable\r\n", b"\r\nX-Cutover-Arm: canary\r\n")
_COOKIE_END: Final = b"; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax\r\n"
_COOKIE_END_SECURE: Final = b"; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax\r\n"


class Swept(Protocol):
    """A connection with a deadline on the monotonic clock (inf for none)."""

    deadline: float

    def expire(self, now: float) -> None: ...


class Core:
    """One a worker. `now` is the monotonic time of the last tick, good for timers, too coarse for latencies."""

    __slots__ = (
        "_cookie_start",
        "_random",
        "_random_at",
        "arm_lines",
        "block",
        "cells",
        "clients",
        "counters",
        "default_host",
        "draining",
        "fallback",
        "first_byte",
        "generation",
        "header",
        "held",
        "identifier",
        "keep_alive",
        "limits",
        "loop",
        "minute",
        "now",
        "on_idle",
        "pools",
        "requests",
        "responses",
        "settings",
        "split",
        "stalled",
        "swept",
        "table",
        "timeouts",
        "trusted",
        "tunnels",
        "upstream_idle",
    )

    def __init__(self, settings: Settings, table: Table, block: Block, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self.timeouts = settings.timeouts
        # Those that every request needs: a field of the settings costs as much as twenty of our own.
        self.first_byte = settings.timeouts.first_byte
        self.keep_alive = settings.timeouts.keep_alive
        self.upstream_idle = settings.timeouts.upstream_idle
        self.fallback = settings.split.fallback
        self.table = table
        self.header = table.header
        self.block = block
        self.cells = block.cells
        self.counters = Counters(block)
        self.loop = loop
        self.limits = HeadLimits(
            settings.limits.target, settings.limits.field, settings.limits.head, settings.limits.fields
        )
        self.responses = ResponseParser(self.limits)
        #: End of the request id's line in answers, and the arm's line when it is shown.
        self.arm_lines = _ARM_LINES if settings.split.expose_arm else (b"\r\n", b"\r\n")
        #: Host of HTTP/1.0 requests that name none: upstream they are 1.1 requests, which must (RFC 9112 3.2).
        self.default_host = urlsplit(settings.stable[0]).netloc.encode("ascii") if settings.stable else b""
        self.trusted = networks(settings.trusted_proxies)
        self.identifier = Identifier(settings.split.header, settings.split.cookie, settings.split.session_cookie)
        self._cookie_start = b"Set-Cookie: %b=" % settings.split.cookie.encode("ascii")
        self.requests = RecallingParser(self.limits, self.identifier.seen)
        self.clients: set[Downstream] = set()
        self.swept: set[Swept] = set()
        self.stalled: set[Downstream] = set()
        #: Clients that we don't read from for now, and the body that we have a part of.
        self.held: dict[Downstream, Incoming | None] = {}
        self.tunnels: set[Tunnel] = set()
        self.draining = False
        self.on_idle: Callable[[], None] | None = None
        self.now = monotonic()
        self.minute = -1
        self.generation = -1
        self._random = b""
        self._random_at = _RANDOM_BYTES
        self.pools = (Pool(self, STABLE, settings.stable), Pool(self, CANARY, settings.canary))
        self.refresh()

    def refresh(self) -> None:
        """Take over what the supervisor published; keep the old state while it is being written."""
        state = self.table.read()
        if state is None:
            return
        self.generation, routing = state
        split = self.settings.split
        routes = Routes(orjson.loads(routing.routes) if routing.routes else [])
        self.split = Split(routing.weight, routing.salt, routes, split.override, split.override_token)
        self.cells[SEEN_GENERATION] = self.generation

    def random_id(self) -> bytes:
        """128 random bits as 32 hexadecimal digits."""
        at = self._random_at
        if at >= _RANDOM_BYTES:
            self._random = os.urandom(_RANDOM_BYTES // 2).hex().encode("ascii")
            at = 0
        self._random_at = at + 32
        return self._random[at : at + 32]

    def cookie(self, identity: bytes, scheme: bytes) -> bytes:
        """The Set-Cookie line that gives a new user its identity."""
        return self._cookie_start + identity + (_COOKIE_END_SECURE if scheme == b"https" else _COOKIE_END)

    def tick(self) -> None:
        """Sweep the timers and bring gauges up to date; called every `TICK` seconds."""
        self.now = now = monotonic()
        if self.header[GENERATION] != self.generation:
            self.refresh()
        for connection in [found for found in self.swept if found.deadline <= now]:
            connection.expire(now)
        for client in list(self.stalled):
            client.check_stall(now)
        self.drop_gone()
        minute = int(time() // 60)
        if minute != self.minute:
            self.counters.clear_minute(minute)
            self.minute = minute
        for pool in self.pools:
            pool.tick(now)
        self._gauges()
        if self.draining and not self.clients and not self.tunnels and self.on_idle is not None:
            self.on_idle()

    def drop_gone(self) -> None:
        """Let go of clients that left while they were held back."""
        for client, body in list(self.held.items()):
            if has_left(client.transport, body.missing if body else 0):
                client.transport.abort()

    def _gauges(self) -> None:
        cells = self.cells
        cells[GAUGES + CLIENTS] = len(self.clients) + len(self.tunnels)
        cells[GAUGES + TUNNELS] = len(self.tunnels)
        for pool in self.pools:
            cells[GAUGES + ACTIVE + pool.arm] = pool.busy + pool.waiting
            cells[GAUGES + IDLE + pool.arm] = pool.idle
            cells[GAUGES + BUSY + pool.arm] = pool.busy
            cells[GAUGES + QUEUED + pool.arm] = pool.waiting

"""A worker process: takes its settings and sockets from the supervisor, serves, drains, exits.

It never waits for the supervisor after its start. When that one dies, the worker serves on with the last weight until
a new supervisor adopts or retires it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import Any

from loguru import logger

from .. import log
from ..config import Settings
from ..table import PID, Table
from . import handoff
from .acceptor import BACKLOG, Acceptor
from .core import LATE_HEAD, TICK, Core
from .tls import listener_context


class Worker:
    """One process' data plane, from the ``start`` message to the last connection."""

    def __init__(self, channel: socket.socket, start: dict[str, Any], fds: list[int]) -> None:
        self._channel: socket.socket | None = channel
        self._settings = Settings.model_validate(start["settings"])
        self._slot = start["slot"]
        self._index = start["block"]
        self._table = Table.attach(fds[0])
        self._block = self._table.block(self._index)
        self._listeners = [socket.socket(fileno=fd) for fd in fds[1:]]
        self._servers: list[asyncio.Server] = []
        self._context = listener_context(self._settings.tls)
        self._adopters: set[socket.socket] = set()
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._core = Core(self._settings, self._table, self._block, self._loop)
        self._acceptor = Acceptor(self._core, self._context)
        self._core.on_idle = self._check_done

    async def run(self) -> int:
        loop = self._loop
        self._block.cells[PID] = os.getpid()
        for listener in self._listeners:
            if self._context is not None:
                self._acceptor.listen(listener)
                continue
            # asyncio's server accepts faster than Python code can.
            server = await loop.create_server(self._acceptor.protocol, sock=listener.dup(), backlog=BACKLOG)
            self._servers.append(server)
        meeting, path = handoff.listen(self._settings.state)
        meeting.setblocking(False)
        loop.add_reader(meeting, self._meet, meeting)
        loop.add_signal_handler(signal.SIGTERM, self._drain, True)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal's ^C is the supervisor's business
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        assert self._channel is not None
        loop.add_reader(self._channel, self._hear, self._channel)
        handoff.send(self._channel, "ready", {"pid": os.getpid()})
        gc.collect()
        gc.freeze()
        self._tick()
        try:
            await self._done.wait()
        finally:
            path.unlink(missing_ok=True)
        return 0

    def _tick(self) -> None:
        self._loop.call_later(TICK, self._tick)
        try:
            self._core.tick()
        except Exception:
            logger.exception("sweep failed; the next one follows")

    def _hear(self, channel: socket.socket) -> None:
        """A message from the supervisor, or its end."""
        received = handoff.receive(channel)
        if received is None:
            self._loop.remove_reader(channel)
            channel.close()
            if channel is self._channel:
                self._channel = None
                logger.warning("the supervisor is gone; serving on with the last weight")
            self._adopters.discard(channel)
            return
        kind = received[0]["kind"]
        if kind == "retire":
            self._drain(False)
        elif kind == "adopt":
            settings = self._settings
            have = {"pid": os.getpid(), "slot": self._slot, "block": self._index}
            have |= {"listen": settings.listen, "arms": [settings.stable, settings.canary]}
            handoff.send(channel, "have", have, [self._table.fd, *(found.fileno() for found in self._listeners)])

    def _meet(self, meeting: socket.socket) -> None:
        """A new supervisor has found this worker."""
        channel, _ = meeting.accept()
        if not handoff.peer_is_ours(channel):
            channel.close()
            return
        self._adopters.add(channel)
        self._loop.add_reader(channel, self._hear, channel)

    def _drain(self, now: bool) -> None:
        """Accept no more; finish what is open. `now` (SIGTERM) also closes idle connections, a retirement lets them
        have one more answer, so that no client sees a close cross its request."""
        core = self._core
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._acceptor.stop()
        for listener in self._listeners:
            if now:
                self._acceptor.take_waiting(listener)
            listener.close()
        self._listeners.clear()
        if now:
            self._loop.call_later(LATE_HEAD, self._acceptor.cancel)
        if not core.draining:
            self._loop.call_later(self._settings.timeouts.drain, self._give_up)
        core.draining = True
        for pool in core.pools:
            pool.close_idle()
        for client in list(core.clients):
            client.drain(now)

    def _check_done(self) -> None:
        if not self._acceptor.pending:
            self._done.set()

    def _give_up(self) -> None:
        """The drain time is over: idle connections close now, the rest is cut off."""
        for client in list(self._core.clients):
            client.drain(True)
            client.abort()
        for tunnel in list(self._core.tunnels):
            tunnel.abort()
        self._done.set()


def main(argv: list[str]) -> int:
    """``python -m router.proxy.worker FD``: FD is the worker's end of the supervisor's socket pair."""
    channel = socket.socket(fileno=int(argv[1]))
    received = handoff.receive(channel)
    if received is None:
        return 1
    start, fds = received
    log.setup(Settings.model_validate(start["settings"]), process=f"worker-{start['slot']}")
    gc.set_threshold(50_000, 20, 100)

    async def serve() -> int:
        return await Worker(channel, start, fds).run()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(serve())


def new_loop() -> asyncio.AbstractEventLoop:
    """A uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


if __name__ == "__main__":
    sys.exit(main(sys.argv))

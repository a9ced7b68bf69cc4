"""Connections between the listening socket and their first request: TLS handshakes, and what waits at shutdown.

A handshake holds a descriptor before there is a client connection, so it is bounded here like one: in number by
`limits.connections`, in time by `timeouts.head`. asyncio's own TLS server shows neither.
Plain listeners are asyncio's business.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

from .core import Core
from .downstream import Downstream

#: Kept by the kernel while the worker is busy or being replaced.
BACKLOG = 4096
#: Connections taken in one turn of the loop, so that a flood of them doesn't hold up the requests in between.
TURN = 64
#: Seconds without accepting after descriptors ran out: the listener stays readable, and the loop would spin on it.
REST = 0.5


class Acceptor:
    """One a worker. `pending` connections aren't clients yet; a worker that drains waits for them."""

    def __init__(self, core: Core, context: ssl.SSLContext | None) -> None:
        self._core = core
        self._context = context
        self._scheme = b"https" if context else b"http"
        self._listeners: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        return len(self._tasks)

    def protocol(self) -> asyncio.Protocol:
        """The client's end of a new connection."""
        return cast(asyncio.Protocol, Downstream(self._core, self._scheme))

    def listen(self, listener: socket.socket) -> None:
        """Accept from a non-blocking socket until `stop`."""
        listener.setblocking(False)
        self._listeners.add(listener)
        self._core.loop.add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Accept no more; the sockets stay the caller's to close."""
        for listener in self._listeners:
            self._core.loop.remove_reader(listener)
        self._listeners.clear()

    def cancel(self) -> None:
        """Give up on everyone who has not finished a handshake."""
        for task in self._tasks:
            task.cancel()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(TURN):
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:
                self._core.loop.remove_reader(listener)
                self._core.loop.call_later(REST, self._resume, listener)
                return
            self._take(accepted)

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self.listen(listener)

    def take_waiting(self, listener: socket.socket) -> None:
        """Take what waits in a socket that is to be closed: closing it would reset them."""
        for _ in range(BACKLOG):
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            self._take(accepted)

    def _take(self, accepted: socket.socket) -> None:
        """Make a client of an accepted connection, or close it when there are too many."""
        core = self._core
        if len(core.clients) + len(self._tasks) >= core.settings.limits.connections and self._context:
            core.counters.client_error("overload")
            accepted.close()
            return
        task = core.loop.create_task(self._greet(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, accepted: socket.socket) -> None:
        core, context = self._core, self._context
        accepted.setblocking(False)
        try:
            await core.loop.connect_accepted_socket(
                self.protocol,
                accepted,
                ssl=context,
                ssl_handshake_timeout=core.timeouts.head if context else None,
                ssl_shutdown_timeout=core.timeouts.linger if context else None,
            )
        except OSError:  # the peer's fault or end, whatever it is called
            core.counters.client_error("handshake")

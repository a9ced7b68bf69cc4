"""Serving the admin app inside a running loop: uvicorn without its signal handlers and without its access log.

server = await serve_admin(app, host, port)
...
await server.stop()
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ..errors import ConfigError

#: How long open requests (a slow reader of /metrics) may take when the server stops, in seconds.
_GRACE = 3


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the supervisor."""
        yield


class AdminServer:
    """A running server; `address` is where it listens."""

    def __init__(self, server: _Server, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        host, port = listener.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self._task = asyncio.create_task(server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Refuse new connections, let open requests end for a moment, close."""
        self._server.should_exit = True
        await self._task
        self._listener.close()


async def serve_admin(app: ASGIApp, host: str, port: int, sock: socket.socket | None = None) -> AdminServer:
    """Serve `app` on host:port, or on a socket that listens already; returns once requests are answered."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    running = AdminServer(server, sock or _listen(host, port))
    await server.ready.wait()
    return running


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        where = f"{host or '*'}:{port}"
        if error.errno == errno.EADDRINUSE:
            problem = "is in use by another program; stop it, or give --admin another address"
        elif error.errno == errno.EACCES:
            problem = "is not allowed to this user; give --admin a port above 1023"
        else:
            problem = f"can't be listened on ({error.strerror or error}); give --admin an address of this machine"
        raise ConfigError(f"--admin {where} {problem}") from None

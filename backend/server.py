"""Runs the app under uvicorn until SIGTERM or SIGINT, then finishes what is under way."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from loguru import logger

from . import app, log
from .config import Settings
from .errors import BackendError, StartError

#: Kept by the kernel while the loop is busy.
BACKLOG = 2048
#: Seconds that a thread keeps the interpreter while another one wants it.
SWITCH = 0.0005
#: Seconds that answers under way get at shutdown, as the router's drain.
GRACE = 30


class _Server(uvicorn.Server):
    """uvicorn's server, but a signal ends in exit code 0: uvicorn would raise it again after its clean end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def serve(settings: Settings) -> None:
    """Serve until told to stop.

    Raises:
        StartError: the HTTP port or a database can't be had.
    """
    listener = _listen(settings.host, settings.port)
    async with app.opened(settings) as parts:
        config = uvicorn.Config(
            app.build(parts),
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            ws="none",
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=GRACE,
        )
        host, port = listener.getsockname()[:2]
        logger.info("the backend answers on {}:{}", host, port)
        # What was loaded stays: collections of young objects need not walk over it, nor come every 700 objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        await _Server(config).serve([listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(
            f"port {port} of {host} can't be taken: {error.strerror}; stop what uses it, or give another --port"
        ) from error
    return listener


def run(settings: Settings) -> int:
    """Exit code: 0 after a signal, 1 if it can't start."""
    log.setup(settings.log_level, settings.log_format)
    # A thread that decodes spans would else keep the loop waiting for 5 ms each time that it has something to do.
    sys.setswitchinterval(SWITCH)
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(serve(settings))
    except BackendError as error:
        logger.error("{}", error)
        return 1
    return 0


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()

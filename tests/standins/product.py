"""The product's real backend as an arm of the demo: the whole app, behind faults that can be set while it runs.

``python -m tests.standins.product --port 0 --name canary`` reads the backend's own environment variables, prints one
line with its URL when it accepts connections, and signs every answer with the header ``X-Standin``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.requests import Request

from backend import app, log
from backend.config import load

from .faults import FaultMiddleware, Faults
from .service import AnnouncedServer


class WithFaults:
    """The backend, and /faults beside it."""

    def __init__(self, backend: Any, faults: Faults) -> None:
        self._backend = backend
        self._faults = faults

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/faults":
            await self._backend(scope, receive, send)
            return
        answer = await self._faults.endpoint(Request(scope, receive))
        await answer(scope, receive, send)


async def serve(port: int, name: str) -> None:
    settings = load({}, os.environ)
    log.setup(settings.log_level, settings.log_format)
    faults = Faults(random.Random(0))
    async with app.opened(settings) as parts:
        whole = FaultMiddleware(WithFaults(app.build(parts), faults), name, faults)
        config = uvicorn.Config(
            whole, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False, timeout_keep_alive=75
        )
        await AnnouncedServer(config).serve()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.product", description="the backend as one arm")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--name", choices=("stable", "canary"), required=True)
    options = parser.parse_args(arguments)
    asyncio.run(serve(options.port, options.name))


if __name__ == "__main__":
    main()

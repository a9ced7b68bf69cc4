"""A small real HTTP service that stands in for one arm: Starlette under uvicorn, a process of its own.

``python -m tests.standins.service --port 0 --name stable`` prints one line with its URL when it accepts
connections. Every answer names the service in the header ``X-Standin`` (and in its JSON), so a client can
tell who served it. Two services with one seed hold the same data. What it does wrong is set while it runs,
over POST /faults (faults.py). Raw wire behaviour (bad framing, half answers) is not for here.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .faults import FaultMiddleware, Faults

ITEMS = 20
PIECE_BYTES = 64 * 1024
PIECE_SECONDS = 0.1
#: A query can ask for no more than this, so that a typing error ends.
SLOW_MS_MAX = 60_000
PIECES_MAX = 600
BYTES_MAX = 8 * 1024**3


class Service:
    """The endpoints; `name` is the arm it stands in for, `seed` decides the data."""

    def __init__(self, name: str, seed: int) -> None:
        rng = random.Random(seed)
        self.name = name
        self.items = [
            {"id": number, "name": f"item {number}", "price": rng.randrange(100, 10_000) / 100}
            for number in range(1, ITEMS + 1)
        ]
        self.piece = rng.randbytes(PIECE_BYTES)

    def json(self, content: dict[str, Any], status: int = 200) -> JSONResponse:
        return JSONResponse({"service": self.name, **content}, status)

    async def ping(self, _: Request) -> Response:
        return PlainTextResponse("pong")

    async def list_items(self, _: Request) -> Response:
        return self.json({"items": self.items})

    async def read_item(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not 1 <= number <= ITEMS:
            return self.json({"error": f"no item {number}; there are 1 to {ITEMS}"}, 404)
        return self.json(self.items[number - 1])

    async def create_item(self, request: Request) -> Response:
        try:
            item = await request.json()
        except json.JSONDecodeError:
            return self.json({"error": "the body is not JSON"}, 400)
        return self.json({"item": item}, 201)

    async def slow(self, request: Request) -> Response:
        milliseconds = _number(request, "ms", 1000, SLOW_MS_MAX)
        await asyncio.sleep(milliseconds / 1000)
        return self.json({"ms": milliseconds})

    async def stream(self, request: Request) -> Response:
        return StreamingResponse(
            self._events(_number(request, "n", 10, PIECES_MAX)),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    async def _events(self, count: int) -> AsyncIterator[str]:
        for number in range(count):
            if number:
                await asyncio.sleep(PIECE_SECONDS)
            yield f"data: {json.dumps({'service': self.name, 'n': number})}\n\n"

    async def octets(self, request: Request) -> Response:
        """`n` bytes with their Content-Length, or chunked with ``chunked=1``."""
        count = _number(request, "n", 1024, BYTES_MAX)
        headers = {} if "chunked" in request.query_params else {"content-length": str(count)}
        return StreamingResponse(self._octets(count), media_type="application/octet-stream", headers=headers)

    async def _octets(self, count: int) -> AsyncIterator[bytes]:
        for _ in range(count // PIECE_BYTES):
            yield self.piece
        if count % PIECE_BYTES:
            yield self.piece[: count % PIECE_BYTES]

    async def upload(self, request: Request) -> Response:
        count, digest = 0, hashlib.sha256()
        async for piece in request.stream():
            count += len(piece)
            digest.update(piece)
        return self.json({"bytes": count, "sha256": digest.hexdigest()})


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= most):
        raise HTTPException(422, f"{name} must be a whole number from 0 to {most}")
    return int(text)


def make_app(name: str, seed: int = 0) -> Starlette:
    """The ASGI application: the endpoints behind the faults, which start out harmless."""
    service = Service(name, seed)
    faults = Faults(random.Random(seed))
    return Starlette(
        routes=[
            Route("/ping", service.ping),
            Route("/api/items", service.list_items),
            Route("/api/items", service.create_item, methods=["POST"]),
            Route("/api/items/{number:int}", service.read_item),
            Route("/slow", service.slow),
            Route("/stream", service.stream),
            Route("/bytes", service.octets),
            Route("/upload", service.upload, methods=["POST"]),
            Route("/faults", faults.endpoint, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(FaultMiddleware, name=name, faults=faults)],
    )


class AnnouncedServer(uvicorn.Server):
    """Says in one line where it listens, once it does: the parent waits for that line instead of polling."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            print(f"ready http://{self.config.host}:{port}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.service", description="one stand-in arm")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--name", choices=("stable", "canary"), required=True)
    parser.add_argument("--seed", type=int, default=0, help="decides the data and which requests a fault hits")
    options = parser.parse_args(arguments)
    AnnouncedServer(
        uvicorn.Config(
            make_app(options.name, options.seed),
            host="127.0.0.1",
            port=options.port,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    ).run()


if __name__ == "__main__":
    main()

"""What a stand-in does wrong on purpose, settable while it runs.

Errors and delays hit the product's endpoints but not /ping: they model a broken release, which health checks
don't see. A hang holds back everything but /faults, /ping too: it models a stuck process.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LATENCY_MS_MAX = 60_000


class Faults:
    """The present faults: `error_rate` 0..1, `latency_ms` added before each answer, hanging or not."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.error_rate = 0.0
        self.latency_ms = 0.0
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def endpoint(self, request: Request) -> Response:
        """GET shows the faults, POST changes the ones it names; 422 tells what is wrong with which."""
        if request.method == "POST":
            try:
                self.change(await request.json())
            except (json.JSONDecodeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(self.as_json())

    def change(self, wanted: Any) -> None:
        """All of `wanted` or, with a ValueError, nothing of it."""
        if not isinstance(wanted, dict):
            raise ValueError("send a JSON object")
        unknown = wanted.keys() - self.as_json().keys()
        if unknown:
            raise ValueError(f"unknown fault {min(unknown)}; there are {', '.join(self.as_json())}")
        merged = self.as_json() | wanted
        error_rate = _within(merged, "error_rate", 1)
        latency_ms = _within(merged, "latency_ms", LATENCY_MS_MAX)
        if not isinstance(merged["hang"], bool):
            raise ValueError("hang must be true or false")
        self.error_rate, self.latency_ms = error_rate, latency_ms
        if merged["hang"]:
            self.flowing.clear()
        else:
            self.flowing.set()

    def as_json(self) -> dict[str, Any]:
        return {
            "error_rate": self.error_rate,
            "latency_ms": self.latency_ms,
            "hang": not self.flowing.is_set(),
        }


def _within(merged: dict[str, Any], name: str, most: float) -> float:
    value = merged[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number from 0 to {most}")
    return float(value)


class FaultMiddleware:
    """Applies the faults, and signs every answer with the service's name."""

    def __init__(self, app: ASGIApp, name: str, faults: Faults) -> None:
        self.app = app
        self.name = name
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-standin"] = self.name
            await send(message)

        if scope["path"] != "/faults":
            await self.faults.flowing.wait()
        if scope["path"] not in ("/faults", "/ping"):
            if self.faults.latency_ms:
                await asyncio.sleep(self.faults.latency_ms / 1000)
            if self.faults.rng.random() < self.faults.error_rate:
                answer = JSONResponse({"service": self.name, "error": "injected"}, 500)
                await answer(scope, receive, signed)
                return
        await self.app(scope, receive, signed)

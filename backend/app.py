"""The composition root: opens the databases, wires the features, and hands the whole to uvicorn as one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from .config import Settings
from .passwords import Passwords
from .sqlite import Sqlite
from .web import answer
from .web.failures import Failures


@dataclass(frozen=True, slots=True)
class Parts:
    """What the features are built from; open for as long as the backend runs."""

    settings: Settings
    sqlite: Sqlite
    passwords: Passwords


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Parts]:
    """Open everything that must be there before the first request.

    Raises:
        StartError: a file or a port can't be had.
    """
    with closing(Passwords()) as passwords:
        async with Sqlite(settings.sqlite_path, settings.sqlite_journal) as sqlite:
            yield Parts(settings, sqlite, passwords)


def build(parts: Parts) -> Failures:
    """The ASGI application over open parts."""
    return Failures(Starlette(routes=[Route("/ping", _ping)]))


async def _ping(request: Request) -> answer.Answer:
    return answer.text("pong")

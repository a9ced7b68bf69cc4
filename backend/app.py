"""The composition root: opens the databases, wires the features, and hands the whole to uvicorn as one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import Route

from .auth.cookie import SessionCookie
from .auth.routes import routes as auth_routes
from .auth.service import Auth
from .clock import wall
from .config import Settings
from .passwords import Passwords
from .sqlite import Sqlite
from .web import answer
from .web.cors import Cors
from .web.edge import Edge
from .web.routes import Routes


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


def build(parts: Parts) -> Edge:
    """The ASGI application over open parts."""
    settings = parts.settings
    cookie = SessionCookie(settings.session_secret.get_secret_value())
    routes = [
        Route("/ping", _ping),
        *auth_routes(Auth(parts.sqlite, parts.passwords, cookie, wall), settings.cookie_domain),
    ]
    return Edge(Routes(routes), Cors(settings.allow_origins), cookie.open, wall, _unobserved)


async def _ping(request: Request) -> answer.Answer:
    return answer.text("pong")


def _unobserved(method: str, route: str, status: int, seconds: float) -> None:
    """Until there are metrics."""

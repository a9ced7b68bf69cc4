"""The composition root: opens the databases, wires the features, and hands the whole to uvicorn as one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.routing import Route

from .admin.routes import routes as admin_routes
from .api_keys.routes import routes as api_key_routes
from .api_keys.service import ApiKeys
from .auth.cookie import SessionCookie
from .auth.routes import routes as auth_routes
from .auth.service import Auth
from .clock import wall
from .config import Settings
from .duck import Duck
from .health.checks import Checks
from .health.duckdb import duckdb_check
from .health.grpc import grpc_server_check
from .health.ingest import grpc_client_check, poller_check
from .health.routes import routes as health_routes
from .health.sqlite import sqlite_check
from .ingest.ownership import Ownership, Role
from .ingest.progress import Progress
from .ingest.quarantine import Quarantine
from .ingest.shared_cursor import SharedCursor
from .llm.playground import Playground, playground
from .llm.routes import routes as llm_routes
from .metrics import Metrics
from .otel.routes import routes as otel_routes
from .passwords import Passwords
from .rpc.ingestion import Ingestion
from .rpc.server import AuthServer
from .sqlite import Sqlite
from .users.routes import routes as user_routes
from .users.service import Users
from .web import answer
from .web.cors import Cors
from .web.edge import Edge
from .web.routes import Routes


@dataclass(frozen=True, slots=True)
class Parts:
    """What the features are built from; open for as long as the backend runs."""

    settings: Settings
    metrics: Metrics
    checks: Checks
    sqlite: Sqlite
    duck: Duck
    ownership: Ownership
    passwords: Passwords
    api_keys: ApiKeys
    playground: Playground


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Parts]:
    """Open everything that must be there before the first request.

    Raises:
        StartError: a file or a port can't be had.
    """
    metrics = Metrics(CollectorRegistry())
    checks = Checks()
    with closing(Passwords()) as passwords:
        async with Sqlite(settings.sqlite_path, settings.sqlite_journal, metrics.sqlite_query) as sqlite:
            metrics.watch_connections(lambda: sqlite.busy_connections, of=2)
            checks.register("sqlite", sqlite_check(sqlite), vital=True)
            api_keys = ApiKeys(sqlite)
            auth_server = AuthServer(settings.auth_grpc_address, api_keys.validate, observe=metrics.grpc_served)
            checks.register("grpc_server", grpc_server_check(auth_server))
            progress = Progress()
            checks.register("grpc_client", grpc_client_check(progress))
            checks.register("poller", poller_check(progress))
            metrics.watch_ingestion(progress)
            async with (
                Duck(metrics.duckdb_query) as duck,
                SharedCursor(sqlite) as shared,
                Ingestion(settings.ingestion_address, observe=metrics.grpc_called) as ingestion,
                Ownership(settings, duck, ingestion, shared, progress, metrics.ingest_batch) as ownership,
                auth_server,
                playground(settings, metrics.registry) as llm,
            ):
                checks.register("duckdb", duckdb_check(duck, ownership), vital=True)
                metrics.watch_files(
                    {
                        "sqlite": settings.sqlite_path,
                        "duckdb": settings.duckdb_path,
                        "replica": settings.replica_path,
                    }
                )
                metrics.watch_role(lambda: ownership.role.value, [role.value for role in Role])
                yield Parts(settings, metrics, checks, sqlite, duck, ownership, passwords, api_keys, llm)


def build(parts: Parts) -> Edge:
    """The ASGI application over open parts."""
    settings = parts.settings
    cookie = SessionCookie(settings.session_secret.get_secret_value())
    routes = [
        Route("/ping", _ping),
        *health_routes(parts.checks, parts.metrics),
        *auth_routes(Auth(parts.sqlite, parts.passwords, cookie, wall), settings.cookie_domain),
        *user_routes(Users(parts.sqlite, parts.passwords)),
        *api_key_routes(parts.api_keys),
        *otel_routes(parts.duck),
        *admin_routes(settings.admin_token, parts.ownership, Quarantine(parts.duck)),
        *llm_routes(parts.playground),
    ]
    return Edge(Routes(routes), Cors(settings.allow_origins), cookie.open, wall, parts.metrics)


async def _ping(request: Request) -> answer.Answer:
    return answer.text("pong")

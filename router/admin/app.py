"""Composition of the admin app: the table of operations as Starlette routes, and the error handlers.

app = create_app(control, rollouts, tokens, unready=lambda: "" if all_workers_ready else "workers are starting")
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..control import Control
from ..errors import RouterError
from ..rollout.driver import Rollouts
from .answers import Boundary, http_error, router_error
from .auth import Brake, Tokens
from .operation import Context, Operation
from .operations import operations


def create_app(
    control: Control,
    rollouts: Rollouts,
    tokens: Tokens,
    unready: Callable[[], str],
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """`unready` says in words why traffic can't be taken yet or any more, and is empty when it can."""
    table = operations(control.settings.open_metrics)
    context = Context(control, rollouts, tokens, Brake(monotonic), unready, table)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in table:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return Starlette(
        routes=[Route(path, _endpoint(context, methods), methods=list(methods)) for path, methods in by_path.items()],
        middleware=[Middleware(Boundary)],
        exception_handlers={RouterError: router_error, HTTPException: http_error},
    )


def _endpoint(context: Context, methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await methods[method](context, request)

    return endpoint

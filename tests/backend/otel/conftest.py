"""The six questions, asked of a real DuckDB file through the routes, without HTTP around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from backend.duck import Duck
from backend.otel.routes import routes
from backend.web.answer import Answer
from backend.web.routes import Routes, target

Ask = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def duck(tmp_path: Path) -> AsyncIterator[Duck]:
    """An empty file."""
    async with Duck() as duck:
        await duck.open(tmp_path / "otel_data.db")
        yield duck


@pytest.fixture
def ask(duck: Duck) -> Ask:
    """The JSON that a path is answered with, read strictly."""
    table = Routes(routes(duck))

    async def asked(path: str) -> Any:
        plain = target(path.encode())
        assert plain is not None
        found = table.find("GET", plain)
        assert found.handler is not None
        answer = await found.handler(Request({"type": "http", "path_params": found.params}))
        assert isinstance(answer, Answer)
        assert answer.status == 200
        return orjson.loads(answer.body)

    return asked

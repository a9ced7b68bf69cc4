"""From findings to a status; every check is asked at once, and none may hold up the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.errors import DatabaseError
from backend.health.checks import Check, Checks, Finding, State
from backend.health.sqlite import sqlite_check
from backend.sqlite import Sqlite


def found(state: State, **details: object) -> Check:
    async def check() -> Finding:
        return Finding(state, details)

    return check


@pytest.mark.parametrize(
    ("vital", "other", "status", "healthy"),
    [
        ("ok", "ok", "healthy", True),
        ("ok", "degraded", "degraded", True),
        ("ok", "down", "degraded", True),
        ("degraded", "ok", "degraded", True),
        ("down", "ok", "unhealthy", False),
        ("down", "down", "unhealthy", False),
    ],
)
async def test_status(vital: State, other: State, status: str, healthy: bool) -> None:
    checks = Checks()
    checks.register("sqlite", found(vital), vital=True)
    checks.register("poller", found(other, lag=3))
    report = await checks.report()
    assert report.healthy is healthy
    assert report.as_json() == {
        "status": status,
        "services": {"sqlite": vital, "poller": other},
        "details": {"poller": {"lag": 3}},
    }


async def test_a_check_that_hangs_is_down() -> None:
    checks = Checks()
    checks.register("grpc_client", asyncio.Event().wait, deadline=0.01)  # type: ignore[arg-type]
    checks.register("sqlite", found("ok"))
    assert (await checks.report()).findings == {
        "grpc_client": Finding("down", {"reason": "no answer within 0.01 s"}),
        "sqlite": Finding("ok", {}),
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DatabaseError("the disk is full"), "the disk is full"),
        (KeyError("secret"), "its check failed; the log says how"),
    ],
)
async def test_a_check_that_raises_is_down(error: Exception, reason: str) -> None:
    async def check() -> Finding:
        raise error

    checks = Checks()
    checks.register("duckdb", check)
    assert (await checks.report()).findings["duckdb"] == Finding("down", {"reason": reason})


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Sqlite]:
    async with Sqlite(tmp_path / "app.db") as opened:
        yield opened


async def test_sqlite_is_read(sqlite: Sqlite) -> None:
    state, details = await sqlite_check(sqlite)()
    assert state == "ok"
    assert details["journal_mode"] == "delete"


async def test_a_broken_file_is_noticed(sqlite: Sqlite) -> None:
    sqlite.path.write_bytes(b"not a database" * 1000)
    checks = Checks()
    checks.register("sqlite", sqlite_check(sqlite), vital=True)
    report = await checks.report()
    assert not report.healthy
    assert "can't be used" in str(report.findings["sqlite"].details["reason"])

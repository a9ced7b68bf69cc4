"""The cursor in SQLite, which a Go backend goes on from."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.ingest.ownership import owner_start
from backend.ingest.shared_cursor import SharedCursor
from backend.sqlite import Sqlite


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Sqlite]:
    async with Sqlite(tmp_path / "app_data.db") as sqlite:
        yield sqlite


async def test_it_follows_and_never_goes_back(sqlite: Sqlite) -> None:
    shared = SharedCursor(sqlite)
    assert await shared.read() == b""
    for wanted, found in ((b"b", b"b"), (b"d", b"d"), (b"c", b"d")):
        shared.follow(wanted)
        await shared.flush()
        assert await shared.read() == found


async def test_gos_row_without_a_key(sqlite: Sqlite) -> None:
    with sqlite3.connect(sqlite.path) as go:
        go.execute("INSERT INTO poller_state VALUES (1, NULL)")
    go.close()
    shared = SharedCursor(sqlite)
    assert await shared.read() == b""
    shared.follow(b"a")
    await shared.flush()
    assert await shared.read() == b"a"


async def test_the_last_one_is_written_at_the_end(sqlite: Sqlite) -> None:
    async with SharedCursor(sqlite, pause=3600) as shared:
        shared.follow(b"a")
        async with asyncio.timeout(10):
            while await shared.read() != b"a":
                pass
        shared.follow(b"b")
    assert await shared.read() == b"b"


@pytest.mark.parametrize(
    ("in_file", "shared", "start"),
    [
        (b"", b"", b""),
        (b"5", b"5", b"5"),
        (b"6", b"5", b"5"),  # killed before the shared cursor followed
        (b"5", b"9", b"5"),  # Go owned the file meanwhile
        (b"", b"9", b"9"),  # only Go ever did
        (b"5", b"", b"5"),  # a new SQLite file
    ],
)
def test_where_an_owner_goes_on(in_file: bytes, shared: bytes, start: bytes) -> None:
    assert owner_start(in_file, shared) == start

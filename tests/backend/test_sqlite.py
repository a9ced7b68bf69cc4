"""The database object beside other processes: locks, journal modes, cancellation, errors, and the schema it makes."""

# ruff: noqa: ASYNC240  (nothing else runs on the loop of a test)
from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backend import sqlite as module
from backend.errors import DatabaseBusyError, DatabaseError, StartError
from backend.sqlfiles import schema
from backend.sqlite import ConflictError, Sqlite
from tests.backend.database_peers import EXCLUSIVE, RESERVED, SHARED, WAL, held

RECORD = Path(__file__).parents[1] / "contract" / "record"
USER = ("a@example.com", "hash")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sqlite" / "app_data.db"


@pytest.fixture
async def sqlite(path: Path) -> AsyncIterator[Sqlite]:
    async with Sqlite(path) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.2)


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def described(path: Path) -> dict[str, Any]:
    """The file in the form of contract/schema.json."""
    tables: dict[str, Any] = {}
    for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        columns = [
            {"name": column, "type": kind, "notnull": bool(required), "default": default, "pk": key}
            for _, column, kind, required, default, key in query(path, f"PRAGMA table_info({name})")
        ]
        indexes = [list(row[1:4]) for row in query(path, f"PRAGMA index_list({name})")]
        tables[name] = {"columns": columns, "indexes": indexes}
    rows = query(path, "SELECT id, version_id, is_applied FROM goose_db_version ORDER BY id")
    tables["goose_db_version"]["rows"] = [list(row) for row in rows]
    tables["journal_mode"] = query(path, "PRAGMA journal_mode")[0][0]
    return tables


async def test_the_tables_are_go_s(sqlite: Sqlite) -> None:
    assert described(sqlite.path) == json.loads((RECORD / "schema.json").read_text())["sqlite"]
    assert described(sqlite.path) == described(RECORD / "app_data.db")


async def test_go_s_own_file_opens_unchanged(path: Path) -> None:
    path.parent.mkdir()
    shutil.copyfile(RECORD / "app_data.db", path)
    async with Sqlite(path) as sqlite:
        assert [row[1] for row in await sqlite.read("users_list")] == [
            "prod@example.com",
            "not an email",
            "",
            "zoë@exämple.com",
        ]
        assert [row[2] for row in await sqlite.read("api_keys_list")] == ["prod <1> & ü"]
    assert path.read_bytes() == (RECORD / "app_data.db").read_bytes()


async def test_a_write_is_kept_and_returns_its_rows(sqlite: Sqlite) -> None:
    assert await sqlite.write("users_create_first", USER) == [(1,)]
    assert await sqlite.write("users_create_first", USER) == []
    assert query(sqlite.path, "SELECT email FROM users") == [("a@example.com",)]


async def test_a_unique_value_twice(sqlite: Sqlite) -> None:
    await sqlite.write("users_create", USER)
    with pytest.raises(ConflictError):
        await sqlite.write("users_create", USER)
    await sqlite.write("users_create", ("b", "hash"))


@pytest.mark.parametrize("lock", [EXCLUSIVE, RESERVED, SHARED])
async def test_a_write_waits_for_a_lock(sqlite: Sqlite, lock: tuple[str, ...]) -> None:
    with held(sqlite.path, lock) as holder:
        writing = asyncio.ensure_future(sqlite.write("users_create", USER))
        assert not (await asyncio.wait([writing], timeout=0.2))[0]
        await asyncio.to_thread(holder.release)
        await writing
    assert query(sqlite.path, "SELECT email FROM users") == [("a@example.com",)]


async def test_a_read_waits_only_for_an_exclusive_lock(sqlite: Sqlite) -> None:
    with held(sqlite.path, RESERVED):
        assert await sqlite.read("users_list") == []
    with held(sqlite.path, EXCLUSIVE) as holder:
        reading = asyncio.ensure_future(sqlite.read("users_list"))
        assert not (await asyncio.wait([reading], timeout=0.2))[0]
        await asyncio.to_thread(holder.release)
        assert await reading == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lock", [EXCLUSIVE, RESERVED, SHARED])
async def test_a_lock_held_too_long_writes_nothing(sqlite: Sqlite, lock: tuple[str, ...]) -> None:
    """Every caller is told after the same time, those behind others included."""
    started = asyncio.get_running_loop().time()
    with held(sqlite.path, lock):
        writes = [sqlite.write("users_create", (str(number), "x")) for number in range(5)]
        failed = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each) for each in failed] == [DatabaseBusyError] * 5
    assert asyncio.get_running_loop().time() - started < 5
    assert query(sqlite.path, "SELECT * FROM users") == []
    await sqlite.write("users_create", USER)


@pytest.mark.usefixtures("impatient")
async def test_a_read_is_told_too(sqlite: Sqlite) -> None:
    with held(sqlite.path, EXCLUSIVE), pytest.raises(DatabaseBusyError) as raised:
        await sqlite.read("users_list")
    assert (raised.value.status, raised.value.retry_after) == (503, 1)


async def test_a_waiting_write_holds_up_no_read(sqlite: Sqlite) -> None:
    with held(sqlite.path, RESERVED) as holder:
        writing = asyncio.ensure_future(sqlite.write("users_create", USER))
        assert await sqlite.read("users_list") == []
        assert not writing.done()
        await asyncio.to_thread(holder.release)
        await writing


@pytest.mark.usefixtures("impatient")
async def test_a_write_behind_one_that_hangs(sqlite: Sqlite) -> None:
    """As on a disk that doesn't answer: no lock to time out on."""
    disk = threading.Event()
    hanging = asyncio.ensure_future(sqlite._writer.run(lambda db: disk.wait(30)))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseBusyError):
        await sqlite.write("users_create", USER)
    assert not hanging.done()
    disk.set()
    await hanging


async def test_a_cancelled_write_is_whole_and_gives_way(sqlite: Sqlite) -> None:
    """What waits for its turn is dropped; what has begun ends."""
    with held(sqlite.path, RESERVED) as holder:
        begun = asyncio.ensure_future(sqlite.write("users_create", ("begun", "x")))
        waiting = asyncio.ensure_future(sqlite.write("users_create", ("waiting", "x")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for each in (begun, waiting):
            each.cancel()
        await asyncio.gather(begun, waiting, return_exceptions=True)
        await asyncio.to_thread(holder.release)
    await sqlite.write("users_create", ("after", "x"))
    assert query(sqlite.path, "SELECT email FROM users ORDER BY id") == [("begun",), ("after",)]


async def test_no_lock_is_left(sqlite: Sqlite) -> None:
    """Another process that waits for nothing gets an exclusive lock after each call of ours."""
    await sqlite.write("users_create", USER)
    with pytest.raises(ConflictError):
        await sqlite.write("users_create", USER)
    assert len(await sqlite.read("users_list")) == 1
    with closing(sqlite3.connect(sqlite.path, timeout=0, isolation_level=None)) as peer:
        peer.execute("BEGIN EXCLUSIVE")
        peer.execute("ROLLBACK")


async def test_every_call_is_observed(path: Path) -> None:
    seen: list[str] = []
    async with Sqlite(path, observe=lambda name, took: seen.append(name)) as sqlite:
        await sqlite.write("users_create", USER)
        with pytest.raises(ConflictError):
            await sqlite.write("users_create", USER)
        await sqlite.read("users_exist")
    assert seen == ["users_create", "users_create", "users_exist"]


async def test_tables_that_another_process_makes_meanwhile(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as peer:
        peer.execute("BEGIN IMMEDIATE")
        sqlite = Sqlite(path)
        opening = asyncio.ensure_future(sqlite.__aenter__())
        assert not (await asyncio.wait([opening], timeout=0.2))[0]
        for statement in schema("sqlite/001_backend").split(";"):
            peer.execute(statement)
        peer.execute("COMMIT")
        await opening
    assert query(path, "SELECT count(*) FROM goose_db_version") == [(2,)]
    await sqlite.close()


async def test_a_wal_file_that_nobody_holds_is_taken_to_delete(path: Path) -> None:
    async with Sqlite(path, "wal") as sqlite:
        await sqlite.write("users_create", USER)
        assert query(path, "PRAGMA journal_mode") == [("wal",)]
    async with Sqlite(path) as sqlite:
        assert len(await sqlite.read("users_list")) == 1
        assert query(path, "PRAGMA journal_mode") == [("delete",)]
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.usefixtures("impatient")
async def test_a_wal_file_that_somebody_holds(path: Path) -> None:
    async with Sqlite(path):
        pass
    with held(path, WAL), pytest.raises(StartError, match="can't be taken to journal mode delete: another process"):
        await Sqlite(path).__aenter__()
    assert query(path, "SELECT count(*) FROM goose_db_version") == [(2,)]


@pytest.mark.usefixtures("impatient")
async def test_a_start_beside_a_lock(path: Path) -> None:
    """Nothing but an exclusive lock stops a start."""
    async with Sqlite(path):
        pass
    for lock in (RESERVED, SHARED):
        with held(path, lock):
            async with Sqlite(path):
                pass
    with held(path, EXCLUSIVE), pytest.raises(StartError, match=r"SQLITE_DB_PATH .*locked|another process"):
        await Sqlite(path).__aenter__()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("CREATE TABLE other (a)", r"database of something else; it has \['other'\]"),
        ("CREATE TABLE goose_db_version (id INTEGER, version_id, is_applied);", "has version 0 of the Go"),
        (
            "CREATE TABLE goose_db_version (id INTEGER, version_id, is_applied);"
            "INSERT INTO goose_db_version VALUES (1, 0, 1), (2, 1, 1), (3, 2, 1)",
            "has version 2 of the Go backend's tables; this program knows version 1",
        ),
    ],
)
async def test_a_file_that_isn_t_ours(path: Path, script: str, why: str) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    before = path.read_bytes()
    with pytest.raises(StartError, match=why):
        await Sqlite(path).__aenter__()
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StartError, match="can't be opened: file is not a database"):
        await Sqlite(path).__aenter__()


async def test_a_path_that_can_t_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"SQLITE_DB_PATH .* can't be opened"):
        await Sqlite(tmp_path / "file" / "app.db").__aenter__()


async def test_a_broken_file_is_an_error_of_the_database(sqlite: Sqlite) -> None:
    sqlite.path.write_bytes(b"x" * 100_000)
    with pytest.raises(DatabaseError, match=r"app_data\.db can't be used") as raised:
        await sqlite.read("users_list")
    assert (raised.value.status, raised.value.retry_after) == (503, 5)

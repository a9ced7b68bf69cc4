"""The state file: what survives, what is refused in which words, and that nothing is written by halves."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from router.audit import Entry
from router.errors import StoreError
from router.sqlfiles import migrations
from router.store import APPLICATION_ID, State, Store

ENTRY = Entry(1_800_000_000.0, "operator@::1", "weight", "because", {"percent": 0}, {"percent": 1.5})


async def test_the_first_start_draws_a_salt_and_sends_nobody(tmp_path: Path) -> None:
    states = []
    for name in ("a.db", "b.db"):
        store = await Store.open(tmp_path / name)
        states.append(await store.load())
        await store.close()
    assert [(state.weight, state.routes, state.revision) for state in states] == [(0, None, 1)] * 2
    assert states[0].salt != states[1].salt


@pytest.mark.parametrize("salt", [0, 1, 2**63, 2**64 - 1])
async def test_what_is_committed_survives(tmp_path: Path, salt: int) -> None:
    state = State(weight=1250, salt=salt, routes='[{"path":"/"}]', revision=7)
    store = await Store.open(tmp_path / "a.db")
    await store.commit(state, [ENTRY])
    await store.close()
    store = await Store.open(tmp_path / "a.db")
    assert await store.load() == state
    (row,) = await store.audit(10)
    assert (row.id, row.actor, row.reason, row.before, row.after) == (
        1,
        "operator@::1",
        "because",
        '{"percent":0}',
        '{"percent":1.5}',
    )
    await store.close()


async def test_it_is_durable_before_commit_returns(store: Store) -> None:
    database = store._connection
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("application_id", APPLICATION_ID)):
        async with database.execute(f"PRAGMA {pragma}") as cursor:
            row = await cursor.fetchone()
            assert row is not None
            assert row[0] == value


async def test_a_refused_change_leaves_no_trace(store: Store) -> None:
    before = await store.load()
    with pytest.raises(StoreError):
        await store.commit(replace(before, weight=10_001), [ENTRY])
    with pytest.raises(TypeError):
        await store.commit(replace(before, weight=1), [replace(ENTRY, before=object())])
    assert (await store.load(), await store.audit(10)) == (before, [])
    await store.commit(replace(before, weight=1), [ENTRY])
    assert (await store.load()).weight == 1


async def test_audit_pages_from_the_newest(store: Store) -> None:
    await store.commit(None, [replace(ENTRY, reason=str(number)) for number in range(1, 8)])
    assert [row.reason for row in await store.audit(3)] == ["7", "6", "5"]
    assert [row.id for row in await store.audit(3, before=5)] == [4, 3, 2]
    assert await store.audit(3, before=1) == []


async def test_audit_is_append_only(store: Store) -> None:
    await store.commit(None, [ENTRY])
    for statement in ("UPDATE audit SET reason = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            await store._connection.execute(statement)


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ("SELECT 1", ""),
        ("UPDATE audit SET reason = 'x' WHERE id = 300", "row 300 was changed"),
        ("DELETE FROM audit WHERE id = 1", "row 1 is missing"),
        ("DELETE FROM audit WHERE id > 1000", "the last 200 of 1200 rows are gone"),
        ("DELETE FROM audit", "the last 1200 of 1200 rows are gone"),
    ],
)
async def test_verify_walks_all_rows(store: Store, tampering: str, said: str) -> None:
    await store.commit(None, [ENTRY] * 1200)
    for trigger in ("audit_is_never_changed", "audit_is_never_deleted"):
        await store._connection.execute(f"DROP TRIGGER {trigger}")
    await store._connection.execute(tampering)
    outcome = await store.verify()
    assert said in outcome.problem
    assert outcome.intact is (not said)


async def test_disk_full(store: Store) -> None:
    await store._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="the disk is full"):
        await store.commit(None, [replace(ENTRY, reason="x" * 500)] * 100)
    await store._connection.execute("PRAGMA max_page_count = 1000000")
    await store.commit(None, [ENTRY])
    assert (await store.verify()).rows == 1


async def test_locked_by_another_program(store: Store) -> None:
    await store._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program has it locked"):
        await store.commit(None, [ENTRY])
    other.close()
    await store.commit(None, [ENTRY])


async def test_one_router_a_file(tmp_path: Path) -> None:
    holding = "import fcntl,sys; f=open(sys.argv[1],'a'); fcntl.lockf(f,fcntl.LOCK_EX); print(flush=True); input()"
    lock = str(tmp_path / "a.db.lock")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", holding, lock, stdin=PIPE, stdout=PIPE)
    assert other.stdout is not None
    await other.stdout.readline()
    with pytest.raises(StoreError, match="in use by another router"):
        await Store.open(tmp_path / "a.db")
    await other.communicate(b"\n")
    await (await Store.open(tmp_path / "a.db")).close()


def _foreign(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE users (id)")
    database.close()


def _newer(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    database.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"not a database, " * 100), "not a database"),
        (_foreign, "another program's database"),
        (_newer, "newer cutover"),
        (lambda path: path.mkdir(), "is a directory"),
    ],
)
async def test_what_is_not_ours_is_left_alone(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    path = tmp_path / "a.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=said) as caught:
        await Store.open(path)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"there is no directory {tmp_path}/none"):
        await Store.open(tmp_path / "none" / "a.db")


@pytest.mark.parametrize(
    ("denied", "said"),
    [(lambda path: path.is_dir(), "can't be written to"), (Path.is_file, "can't be read and written")],
)
async def test_missing_permissions_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: Callable[[Path], bool], said: str
) -> None:
    (tmp_path / "a.db").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: not denied(path))  # root may do anything
    with pytest.raises(StoreError, match=said):
        await Store.open(tmp_path / "a.db")


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = await Store.open(path)
    await store.commit(None, [ENTRY] * 100)
    await store.close()
    octets = bytearray(path.read_bytes())
    octets[4096:] = b"\xff" * (len(octets) - 4096)
    path.write_bytes(octets)
    with pytest.raises(StoreError, match=r"damaged|not a database"):
        await Store.open(path)

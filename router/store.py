"""The state file: weight, salt, routes, rollouts, and the audit trail of who changed them. The only user of aiosqlite.

One connection, one lock; a change and its audit row are one transaction, on disk (synchronous FULL) when `commit`
returns. Every failure leaves as a `StoreError` that says what to do. Nothing is decided here: what to do without
a state file is journal.py's business, what may be changed is control.py's.

    store = await Store.open(settings.state)
    state = await store.load()
    await store.commit(State(...), [Entry(...)])
    await store.close()
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import aiosqlite

from .audit import GENESIS, Chain, Entry, Row, Verification, append
from .errors import StoreError
from .sqlfiles import migrations, statement

#: Marks the file as ours ("cutr"), so that a product's own database given by mistake is left alone.
APPLICATION_ID = 0x63757472

#: Longest wait for SQLite to end, in seconds: a hung disk must not keep the router from ending.
CLOSE_PATIENCE = 2.0

#: How long SQLite waits for another program's lock. Shorter than journal.PATIENCE, so its own error is seen.
BUSY_MS = 500

_PAGE = 500
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class State:
    """What survives a restart: `weight` in hundredths of a percent, `salt` 64 bits, `routes` a JSON array or None."""

    weight: int
    salt: int
    routes: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Write:
    """A change of the rollout's tables: sql/router/`statement`.sql with its values by name."""

    statement: str
    values: Mapping[str, Any]


class Store:
    """An open state file. Made by `Store.open`; `close` it, or its thread keeps the process alive."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, lock: IO[str]) -> None:
        self.path = path
        self._connection = connection
        self._owner = lock
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open or make the file, bring its schema up to date, and keep every other router out of it."""
        _check_place(path)
        owner = _own(path)
        try:
            with _explained(path):
                connection = await aiosqlite.connect(path, isolation_level=None)
        except StoreError:
            owner.close()
            raise
        store = cls(path, connection, owner)
        try:
            with _explained(path):
                await store._prepare()
        except BaseException:
            await store.close()
            raise
        return store

    async def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        version, mark = await self._pragma("user_version"), await self._pragma("application_id")
        tables = await self._row("SELECT count(*) AS n FROM sqlite_master")
        if mark != APPLICATION_ID and (mark or version or tables["n"]):
            raise StoreError(f"{self.path} is another program's database; give --state another path")
        scripts = migrations()
        if version > len(scripts):
            raise StoreError(
                f"{self.path} was written by a newer cutover (schema {version}, this one knows {len(scripts)}); "
                "install that version, or give --state another path"
            )
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        for number, script in enumerate(scripts[version:], version + 1):
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
            await connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n{marks}\nCOMMIT;")
        await connection.execute(statement("state_create"), {"salt": f"{secrets.randbits(64):016x}"})

    async def load(self) -> State:
        async with self._exclusively():
            row = await self._row(statement("state_load"))
        return State(row["weight"], int(row["salt"], 16), row["routes"], row["revision"])

    async def commit(self, state: State | None, entries: Sequence[Entry], writes: Sequence[Write] = ()) -> None:
        """Save `state` (None keeps the one there is), append `entries` and run `writes`, all or nothing."""
        async with self._exclusively():
            await self._connection.execute("BEGIN IMMEDIATE")
            try:
                if state is not None:
                    values = asdict(state) | {"salt": f"{state.salt:016x}"}
                    await self._connection.execute(statement("state_save"), values)
                head = await self._row(statement("audit_head"))
                previous = head["hash"] or GENESIS
                for number, entry in enumerate(entries, head["id"] + 1):
                    row = append(entry, number, previous)
                    await self._connection.execute(statement("audit_append"), asdict(row))
                    previous = row.hash
                for write in writes:
                    await self._connection.execute(statement(write.statement), write.values)
                await self._connection.execute("COMMIT")
            except BaseException:
                await self._connection.rollback()
                raise

    async def audit(self, limit: int, before: int | None = None) -> list[Row]:
        """The newest `limit` rows older than row `before`, newest first."""
        async with self._exclusively():
            return await self._rows("audit_page", limit=limit, before=_LAST if before is None else before)

    async def select(self, name: str, **values: object) -> list[dict[str, Any]]:
        """Rows of sql/router/`name`.sql by column name."""
        async with self._exclusively(), self._connection.execute(statement(name), values) as cursor:
            return [dict(row) for row in await cursor.fetchall()]

    async def verify(self) -> Verification:
        """Walk the whole audit trail; says where it was tampered with, if it was."""
        chain = Chain()
        while True:
            async with self._exclusively():
                rows = await self._rows("audit_after", limit=_PAGE, after=chain.rows)
                head = await self._row(statement("audit_head"))
            problem = chain.follow(rows)
            if problem:
                return Verification(chain.rows, problem)
            if len(rows) < _PAGE:
                missing = head["id"] - chain.rows
                return Verification(chain.rows, f"the last {missing} of {head['id']} rows are gone" if missing else "")

    async def close(self) -> bool:
        """False when the disk hangs: then SQLite's thread, which can't be interrupted, still waits for it."""
        closing = asyncio.create_task(self._connection.close())
        done, _ = await asyncio.wait({closing}, timeout=CLOSE_PATIENCE)
        self._owner.close()
        if done:
            closing.result()
        return bool(done)

    @asynccontextmanager
    async def _exclusively(self) -> AsyncIterator[None]:
        async with self._turn:
            with _explained(self.path):
                yield

    async def _row(self, sql: str) -> Any:
        async with self._connection.execute(sql) as cursor:
            return await cursor.fetchone()

    async def _rows(self, name: str, **values: int) -> list[Row]:
        async with self._connection.execute(statement(name), values) as cursor:
            return [Row(*row) for row in await cursor.fetchall()]

    async def _pragma(self, name: str) -> int:
        row = await self._row(f"PRAGMA {name}")
        return int(row[0])


def _check_place(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"{path}: there is no directory {folder}; make it, or give --state another path")
    if path.is_dir():
        raise StoreError(f"{path} is a directory; give --state the path of a file")
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{path}: directory {folder} can't be written to; fix its permissions")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} can't be read and written by this user; fix its permissions")


def _own(path: Path) -> IO[str]:
    """Hold the lock of a state file until the process ends.

    A POSIX record lock: unlike flock it isn't inherited by the workers, who outlive a killed supervisor.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        handle = lock.open("a+")
    except OSError as error:
        raise StoreError(f"{lock}: {error.strerror}; the lock file of {path} can't be opened") from None
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise StoreError(f"{path} is in use by another router; stop that one, or give --state another path") from None
    return handle


_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_BUSY: "another program has it locked; close that program",
    sqlite3.SQLITE_LOCKED: "another program has it locked; close that program",
    sqlite3.SQLITE_NOTADB: "not a database; give --state another path",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup or give --state another path",
    sqlite3.SQLITE_READONLY: "it is read-only; fix its permissions",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened; check the path and its permissions",
    sqlite3.SQLITE_IOERR: "reading or writing failed; check the disk",
}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `StoreError` that names the file and a fix."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary one; the rest is detail
        raise StoreError(f"state file {path}: {_WORDS.get(code, error)}") from error

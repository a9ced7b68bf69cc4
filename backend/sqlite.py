"""The product's SQLite database, shared with a live Go backend: the only code of the backend that opens it.

Rules of living beside a process that has no busy timeout of its own and can't start in WAL mode:

- journal mode DELETE unless told otherwise; nothing ever keeps the file in WAL by accident;
- a read is fetched whole and its statement closed at once, since a held read makes the other side's commit fail;
- a write is one short statement in its own transaction, begun IMMEDIATE so that waiting for the lock never deadlocks;
- whoever waits for a lock waits here, at most `WAIT` seconds, and is then told DatabaseBusyError: nothing was written.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import aiosqlite
from loguru import logger

from .errors import DatabaseBusyError, DatabaseError, StartError
from .sqlfiles import schema, statement

#: Seconds that a request may wait for another process' lock; Go's writes take milliseconds.
WAIT = 5.0
#: The newest migration of the Go backend whose tables we know (goose_db_version.version_id).
VERSION = 1

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Sequence[object]


class ConflictError(DatabaseError):
    """A value that must be unique is there already."""

    status = 409
    label = "conflict"
    retry_after = None


class Sqlite:
    """One connection for reads and one for writes, each with a thread of its own.

    `observe(name, seconds)` is called after every statement.
    """

    def __init__(
        self, path: Path, journal: str = "delete", observe: Callable[[str, float], None] = lambda name, took: None
    ) -> None:
        self.path = path
        self._journal = journal
        self._observe = observe
        self._reader: aiosqlite.Connection
        self._writer: aiosqlite.Connection
        self._reading = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Sqlite:
        """Open the file, and create its tables if it has none.

        Raises:
            StartError: it can't be opened, isn't a database of this product, or belongs to a newer Go backend.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = await self._connect()
            await self._prepare()
            self._reader = await self._connect()
        except (OSError, sqlite3.Error) as error:
            await self._stack.aclose()
            raise StartError(f"SQLITE_DB_PATH {self.path} can't be opened: {error}") from error
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def read(self, name: str, params: Params = ()) -> list[Row]:
        """All rows of sql/backend/`name`.sql.

        Raises:
            DatabaseBusyError: the lock wasn't free in time.
            DatabaseError: the file can't be read.
        """
        return await self._run(
            self._reading, lambda: self._reader, name, lambda: self._fetch(self._reader, name, params)
        )

    async def write(self, name: str, params: Params = ()) -> list[Row]:
        """Run sql/backend/`name`.sql in a transaction of its own; rows are those of its RETURNING clause.

        Raises:
            ConflictError: a unique value exists already.
            DatabaseBusyError: the lock wasn't free in time; nothing was written.
            DatabaseError: the file can't be written.
        """

        async def transaction() -> list[Row]:
            await self._writer.execute("BEGIN IMMEDIATE")
            try:
                rows = await self._fetch(self._writer, name, params)
                await self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    await self._writer.execute("ROLLBACK")
                raise
            return rows

        return await self._run(self._writing, lambda: self._writer, name, transaction)

    async def _run(
        self,
        turn: asyncio.Lock,
        connection: Callable[[], aiosqlite.Connection],
        name: str,
        work: Callable[[], Awaitable[T]],
    ) -> T:
        """`work` with the rest of `WAIT` as busy timeout; whole even if the caller is cancelled meanwhile."""
        started = monotonic()
        try:
            async with asyncio.timeout(WAIT):
                await turn.acquire()
        except TimeoutError:
            raise _busy(self.path) from None

        async def whole() -> T:
            try:
                left = max(0.0, WAIT - (monotonic() - started))
                await connection().execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
                return await work()
            except sqlite3.Error as error:
                raise _translated(error, self.path) from error
            finally:
                turn.release()
                self._observe(name, monotonic() - started)

        return await asyncio.shield(asyncio.ensure_future(whole()))

    @staticmethod
    async def _fetch(connection: aiosqlite.Connection, name: str, params: Params) -> list[Row]:
        async with connection.execute(statement(name), params) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]

    async def _connect(self) -> aiosqlite.Connection:
        return await self._stack.enter_async_context(
            aiosqlite.connect(self.path, isolation_level=None, timeout=WAIT, cached_statements=64)
        )

    async def _prepare(self) -> None:
        db = self._writer
        async with db.execute(f"PRAGMA journal_mode = {self._journal}") as cursor:
            mode = await cursor.fetchone()
        if mode is None or mode[0] != self._journal:
            raise StartError(
                f"SQLITE_DB_PATH {self.path} stays in journal mode {mode and mode[0]!r}: another process holds it. "
                f"Stop that process, or set CUTOVER_SQLITE_JOURNAL to what it uses"
            )
        await db.execute("BEGIN IMMEDIATE")
        try:
            await self._migrate(db)
            await db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                await db.execute("ROLLBACK")
            raise

    async def _migrate(self, db: aiosqlite.Connection) -> None:
        """Create the tables in an empty file; refuse a file that isn't this product's."""
        async with db.execute(statement("tables")) as cursor:
            tables = {row[0] for row in await cursor.fetchall()}
        if not tables:
            for part in _statements(schema("sqlite/001_backend")):
                await db.execute(part)
            logger.info("created the tables of {}", self.path)
            return
        if "goose_db_version" not in tables:
            raise StartError(f"SQLITE_DB_PATH {self.path} is a database of something else; it has {sorted(tables)}")
        rows = await self._fetch(db, "goose_version", ())
        if rows[0][0] != VERSION:
            raise StartError(
                f"SQLITE_DB_PATH {self.path} has version {rows[0][0]} of the Go backend's tables; "
                f"this program knows version {VERSION}"
            )


def _statements(script: str) -> list[str]:
    """The statements of a script, one by one: executescript would commit the transaction it runs in."""
    found, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def _busy(path: Path) -> DatabaseBusyError:
    return DatabaseBusyError(f"the database {path.name} is locked by another process; nothing was changed, try again")


def _translated(error: sqlite3.Error, path: Path) -> DatabaseError | DatabaseBusyError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _busy(path)
    if getattr(error, "sqlite_errorcode", 0) in (
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    ):
        return ConflictError(str(error))
    return DatabaseError(f"the database {path.name} can't be used: {error}")

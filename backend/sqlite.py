"""The product's SQLite database, shared with a live Go backend: the only code of the backend that opens it.

Rules of living beside a process that has no busy timeout of its own and can't start in WAL mode:

- journal mode DELETE unless told otherwise; nothing ever keeps the file in WAL by accident;
- every call is one statement, run to its end in one go on the connection's thread: it is a transaction of its own, and
  its lock never waits for the event loop. A held read would make the other side's commit fail, a held write its reads;
- synchronous NORMAL, as on the Go side: each sync less is time in which the other side isn't refused;
- whoever waits for a lock waits here, at most `WAIT` seconds, and is then told DatabaseBusyError: nothing was written.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from loguru import logger

from .errors import DatabaseBusyError, DatabaseError, StartError
from .sqlfiles import schema, statement

#: Seconds that a request may wait for another process' lock; Go's writes take milliseconds.
WAIT = 5.0
#: The newest migration of the Go backend whose tables we know (goose_db_version.version_id).
VERSION = 1
_NOT_UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)

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

    `observe(name, seconds)` is called after every statement, with the time that its caller waited.
    """

    def __init__(
        self, path: Path, journal: str = "delete", observe: Callable[[str, float], None] = lambda name, took: None
    ) -> None:
        self.path = path
        self.journal = journal
        self._observe = observe
        self._reader = _Connection(path)
        self._writer = _Connection(path)

    async def __aenter__(self) -> Sqlite:
        """Open the file, and create its tables if it has none.

        Raises:
            StartError: it can't be opened, isn't a database of this product, or belongs to a newer Go backend.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            await self._writer.run(lambda db: _prepare(db, self.path, self.journal))
            await self._reader.run(_tables)
        except (OSError, sqlite3.Error) as error:
            await self.close()
            raise StartError(f"SQLITE_DB_PATH {self.path} can't be opened: {error}") from error
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let what runs end, at most `WAIT` seconds, and close the file."""
        await self._reader.close()
        await self._writer.close()

    @property
    def busy_connections(self) -> int:
        """How many of both run a statement at this moment."""
        return self._reader.turn.locked() + self._writer.turn.locked()

    async def read(self, name: str, params: Params = ()) -> list[Row]:
        """All rows of sql/backend/`name`.sql.

        Raises:
            DatabaseBusyError: the lock wasn't free in time.
            DatabaseError: the file can't be read.
        """
        return await self._run(self._reader, name, params)

    async def write(self, name: str, params: Params = ()) -> list[Row]:
        """Run sql/backend/`name`.sql, whole or not at all; rows are those of its RETURNING clause.

        Raises:
            ConflictError: a unique value exists already.
            DatabaseBusyError: the lock wasn't free in time; nothing was written.
            DatabaseError: the file can't be written.
        """
        return await self._run(self._writer, name, params)

    async def _run(self, connection: _Connection, name: str, params: Params) -> list[Row]:
        started = monotonic()
        sql = statement(name)
        try:
            return await connection.run(lambda db: db.execute(sql, params).fetchall())
        except TimeoutError:
            raise _busy(self.path) from None
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error
        finally:
            self._observe(name, monotonic() - started)


class _Connection:
    """A connection and its thread; calls take turns in the order they came."""

    def __init__(self, path: Path) -> None:
        self.turn = asyncio.Lock()
        self._path = path
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._db: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` on the connection's thread, whole even if the caller is cancelled meanwhile.

        Waiting for the turn and for locks together takes at most `WAIT`.

        Raises:
            TimeoutError: the turn didn't come in time.
        """
        deadline = monotonic() + WAIT
        async with asyncio.timeout(WAIT):
            await self.turn.acquire()

        def timed() -> T:
            db = self._open()
            db.execute(f"PRAGMA busy_timeout = {max(0, int((deadline - monotonic()) * 1000))}")
            return work(db)

        running = asyncio.get_running_loop().run_in_executor(self._thread, timed)
        running.add_done_callback(lambda _: self.turn.release())
        return await asyncio.shield(running)

    async def close(self) -> None:
        async with self.turn:
            if self._db is not None:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._db.close)
                self._db = None
            self._thread.shutdown(wait=False)

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            # Autocommit: a statement is a transaction. The timeout is that of the first statement.
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=WAIT)
            self._db.execute("PRAGMA synchronous = NORMAL")
        return self._db


def _prepare(db: sqlite3.Connection, path: Path, journal: str) -> None:
    """Set the journal mode; create the tables in an empty file; refuse a file that isn't this product's."""
    _set_journal(db, path, journal)
    if not _tables(db):
        _create(db, path)
    tables = _tables(db)
    if "goose_db_version" not in tables:
        raise StartError(f"SQLITE_DB_PATH {path} is a database of something else; it has {sorted(tables)}")
    (version,) = db.execute(statement("goose_version")).fetchone()
    if version != VERSION:
        raise StartError(
            f"SQLITE_DB_PATH {path} has version {version} of the Go backend's tables; "
            f"this program knows version {VERSION}"
        )


def _set_journal(db: sqlite3.Connection, path: Path, journal: str) -> None:
    try:
        (mode,) = db.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
        mode = "another"
    if mode != journal:
        raise StartError(
            f"SQLITE_DB_PATH {path} can't be taken to journal mode {journal}: another process holds it. "
            f"Stop that process, or set CUTOVER_SQLITE_JOURNAL to the mode that it uses"
        )


def _create(db: sqlite3.Connection, path: Path) -> None:
    """All tables in one transaction, unless another process makes them meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if not _tables(db):
            for part in _statements(schema("sqlite/001_backend")):
                db.execute(part)
            logger.info("created the tables of {}", path)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute(statement("tables")).fetchall()}


def _statements(script: str) -> list[str]:
    """The statements of a script, one by one: executescript would commit the transaction it runs in."""
    found, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _busy(path: Path) -> DatabaseBusyError:
    return DatabaseBusyError(f"the database {path.name} is locked by another process; nothing was changed, try again")


def _translated(error: sqlite3.Error, path: Path) -> DatabaseError | DatabaseBusyError:
    if _is_busy(error):
        return _busy(path)
    if getattr(error, "sqlite_errorcode", 0) in _NOT_UNIQUE:
        return ConflictError(str(error))
    return DatabaseError(f"the database {path.name} can't be used: {error}")

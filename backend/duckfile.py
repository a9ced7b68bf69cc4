"""One open DuckDB file with its connections; with `duck`, the only code of the backend that imports duckdb.

Reads run on `READERS` connections (cursors, in DuckDB's words), each in a thread, so that a slow query stops neither
the loop nor the other readers; they see the last commit. Everything else runs in the one thread of the writer, and is
a plain function here.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import duckdb
from loguru import logger

from .errors import DatabaseBusyError, DatabaseError, StartError
from .sqlfiles import schema, statement

#: Seconds that a query may run. A trace of 100,000 spans takes about one.
QUERY_TIME = 30.0
#: Seconds that a file's closing leaves to the reads under way; a hand-over is to be done within one second.
DRAIN_TIME = 0.3
#: Queries at the same time. More than cores, so that a few slow ones don't keep out the quick ones.
READERS = 4
#: Threads of DuckDB beside ours; only scans of more than 122,880 rows (its row group) are spread over them.
THREADS = min(4, os.cpu_count() or 1)
#: What DuckDB may hold before it writes to <file>.tmp; the default, 80 % of the machine, isn't ours alone.
MEMORY = "512MB"

_CONFIG: dict[str, Any] = {
    "threads": THREADS,
    "memory_limit": MEMORY,
    # A new file in the format of DuckDB 1.0: the Go backend's 1.1.3 reads no newer one. An old file stays as it is.
    "storage_compatibility_version": "v1.0.0",
    # Nothing is fetched from the network, and no Python variable can be named in SQL.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
#: The parts of the schema. The Go backend, too, makes each of the first two that isn't there; the others are ours.
_TABLES = ("spans", "state_patches", "cutover_cursor", "cutover_quarantine")
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)")

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Mapping[str, object]
Observe = Callable[[str, float], None]
Connection = duckdb.DuckDBPyConnection


class HeldError(StartError):
    """Another process has the file. `holder` says which, as far as DuckDB tells."""

    label = "held"

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"{path} is held by {holder}, and DuckDB lets one process in. Stop that process, or follow it with "
            f"CUTOVER_DUCKDB_ROLE=follower"
        )
        self.holder = holder


class RefusedError(DatabaseError):
    """The rows can't be stored, whatever the state of the file: not JSON, a missing value, a missing span."""

    label = "refused"
    retry_after = None


class ClosingError(Exception):
    """The file is being closed; what was asked must be asked of the next one."""


class Transaction:
    """What a transaction's function gets; used in the writer's thread, until that function returns."""

    def __init__(self, connection: Connection, observe: Observe) -> None:
        self._connection = connection
        self._observe = observe

    def run(self, name: str, params: Params | None = None) -> list[Row]:
        """All rows of sql/backend/`name`.sql, whose parameters are ``$name``."""
        started = monotonic()
        try:
            return self._connection.execute(statement(name), params).fetchall()
        finally:
            self._observe(name, monotonic() - started)


class File:
    """An open file with its connections."""

    def __init__(
        self, path: Path, root: Connection, cursors: list[Connection], threads: ThreadPoolExecutor, observe: Observe
    ) -> None:
        self.path = path
        self._root = root
        self._cursors = cursors
        self._threads = threads
        self._observe = observe
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()
        self._busy: set[Connection] = set()
        self._quiet = asyncio.Event()
        self._closing = False
        for cursor in cursors:
            self._idle.put_nowait(cursor)

    async def read(self, name: str, params: Params | None, deadline: float) -> list[Row]:
        try:
            async with asyncio.timeout(deadline - monotonic()):
                cursor = await self._idle.get()
        except TimeoutError:
            raise DatabaseBusyError(f"{READERS} slow queries are under way; try again") from None
        if self._closing:
            self._idle.put_nowait(cursor)
            raise ClosingError
        self._busy.add(cursor)
        self._quiet.clear()
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._fetch, cursor, name, params)
        # Not before its thread has left it can a cursor be used again, whatever became of the request.
        running.add_done_callback(lambda done: self._give_back(cursor, done))
        try:
            async with asyncio.timeout(QUERY_TIME):
                return await asyncio.shield(running)
        except TimeoutError:
            cursor.interrupt()
            raise DatabaseBusyError(f"the query took longer than {QUERY_TIME:g} s and was ended") from None
        except asyncio.CancelledError:
            cursor.interrupt()
            raise

    def _fetch(self, cursor: Connection, name: str, params: Params | None) -> list[Row]:
        started = monotonic()
        try:
            return cursor.execute(statement(name), params).fetchall()
        except duckdb.InterruptException:
            raise ClosingError from None
        except duckdb.Error as error:
            raise _translated(error, self.path) from error
        finally:
            self._observe(name, monotonic() - started)

    def _give_back(self, cursor: Connection, done: asyncio.Future[list[Row]]) -> None:
        if not done.cancelled():
            done.exception()  # of a read that nobody waits for any more
        self._idle.put_nowait(cursor)
        self._busy.discard(cursor)
        if not self._busy:
            self._quiet.set()

    async def drain(self) -> None:
        """No read starts from now on; those under way get `DRAIN_TIME` to end by themselves, then are interrupted."""
        self._closing = True
        patience = DRAIN_TIME
        while self._busy:
            try:
                async with asyncio.timeout(patience):
                    await self._quiet.wait()
            except TimeoutError:
                for cursor in self._busy:
                    cursor.interrupt()
                patience = 0.05  # again: an interrupt that comes before its query has begun is lost

    def transaction(self, work: Callable[[Transaction], T]) -> T:
        if self._closing:
            raise ClosingError
        try:
            self._root.begin()
            try:
                result = work(Transaction(self._root, self._observe))
                self._root.commit()
            except BaseException:
                self._roll_back()
                raise
        except duckdb.Error as error:
            raise _translated(error, self.path) from error
        return result

    def _roll_back(self) -> None:
        try:
            self._root.rollback()
        except duckdb.Error:  # a failed commit has ended the transaction already
            pass

    def checkpoint(self) -> None:
        try:
            self._root.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise _translated(error, self.path) from error

    def close(self) -> None:
        try:
            self.checkpoint()
        except DatabaseError as error:  # the log stays beside the file, and whoever opens it next reads it
            logger.warning("{}", error)
        for connection in (*self._cursors, self._root):  # DuckDB lets go of the file with the last one
            connection.close()


def open_file(path: Path, threads: ThreadPoolExecutor, observe: Observe) -> File:
    """Open a file, and create what it lacks; `threads` are those of the readers.

    Raises:
        HeldError: another process has it.
        StartError: it can't be opened, or is a database of something else.
    """
    root: Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        root = duckdb.connect(path, config=_CONFIG)
        _create_tables(root, path)
        cursors = [root.cursor() for _ in range(READERS)]
        for cursor in cursors:
            cursor.execute(statement("span_answers"))
    except (OSError, duckdb.Error, StartError) as error:
        if root is not None:
            root.close()
        raise _start_error(error, path) from error
    return File(path, root, cursors, threads, observe)


def _start_error(error: Exception, path: Path) -> StartError:
    if isinstance(error, StartError):
        return error
    if isinstance(error, duckdb.IOException) and "Could not set lock" in str(error):
        found = _HOLDER.search(str(error))
        return HeldError(path, f"{found[1]} (process {found[2]})" if found else "another process")
    return StartError(f"the DuckDB file {path} can't be opened: {_first_line(error)}")


def _create_tables(root: Connection, path: Path) -> None:
    found = {name for (name,) in root.execute(statement("duckdb_tables")).fetchall()}
    if found and "spans" not in found:
        raise StartError(f"{path} is a database of something else; it has {sorted(found)}")
    root.begin()
    for table in _TABLES:
        if table not in found:
            root.execute(schema(f"duckdb/{table}"))
            logger.info("created the table {} in {}", table, path)
    root.commit()


def _translated(error: duckdb.Error, path: Path) -> DatabaseError:
    if isinstance(error, duckdb.DataError | duckdb.IntegrityError | duckdb.InvalidInputException):
        return RefusedError(_first_line(error))
    return DatabaseError(f"the database {path.name} can't be used: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    """What happened, without the SQL that DuckDB adds."""
    return str(error).partition("\n")[0]

"""Other processes that have the SQLite file open: they hold a lock, or the file in WAL mode, until told to let go."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for statement in sys.argv[2:]:
    db.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""
EXCLUSIVE = ("BEGIN EXCLUSIVE",)
RESERVED = ("BEGIN IMMEDIATE",)
SHARED = ("BEGIN", "SELECT * FROM users")
WAL = ("PRAGMA journal_mode = wal", "SELECT * FROM sqlite_master")


class Holder:
    """Runs statements on `path` in a process of its own, and stays until `release` or the end of the block."""

    def __init__(self, path: Path, statements: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(path), *statements],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def release(self) -> None:
        self._process.communicate()


@contextmanager
def held(path: Path, statements: tuple[str, ...]) -> Iterator[Holder]:
    holder = Holder(path, statements)
    try:
        yield holder
    finally:
        holder.release()

"""What an audit row is, and the hash chain that shows when one was changed, removed or slipped in.

Each row's hash covers the row and the hash of the one before. Pure: rows come from and go to store.py; no secret
may ever be put in an entry, because rows are never deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from .clock import iso

#: What the first row's hash goes on from.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done, before it has a place in the chain; `time` in seconds since the epoch."""

    time: float
    actor: str
    action: str
    reason: str
    before: Any
    after: Any
    outcome: str = "ok"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row; `before` and `after` are JSON text, exactly as hashed."""

    id: int
    time: str
    actor: str
    action: str
    reason: str
    before: str
    after: str
    outcome: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of walking the chain: rows that hold, and what breaks it first (empty when nothing does)."""

    rows: int
    problem: str

    @property
    def intact(self) -> bool:
        return not self.problem


def append(entry: Entry, id: int, previous: str) -> Row:
    """The row that puts `entry` behind the one with hash `previous`."""
    before, after = orjson.dumps(entry.before).decode(), orjson.dumps(entry.after).decode()
    row = Row(id, iso(entry.time), entry.actor, entry.action, entry.reason, before, after, entry.outcome, "")
    return replace(row, hash=_digest(row, previous))


def _fields(row: Row) -> tuple[Any, ...]:
    return (row.id, row.time, row.actor, row.action, row.reason, row.before, row.after, row.outcome)


def _digest(row: Row, previous: str) -> str:
    return sha256(orjson.dumps([previous, *_fields(row)])).hexdigest()


class Chain:
    """Walks rows in order of id and remembers the first that doesn't follow from the one before."""

    def __init__(self) -> None:
        self.rows = 0
        self.last = GENESIS

    def follow(self, rows: Iterable[Row]) -> str:
        """What is wrong with these rows, empty when nothing is; they continue those of earlier calls."""
        for row in rows:
            if row.id != self.rows + 1:
                return f"row {self.rows + 1} is missing; row {row.id} comes next"
            if row.hash != _digest(row, self.last):
                return f"row {row.id} was changed, or the one before it was replaced"
            self.rows, self.last = row.id, row.hash
        return ""

"""Keeps on disk what the router decided, also when the disk is slow, full or gone for a while.

`write` is on disk or raises `StoreError`, within `PATIENCE` even when the disk hangs. What may not wait (lowering
the weight) is handed to `keep` after a failed write, and `catch_up` saves it as soon as the store works again. The
journal knows no policy: which change may go on without a disk is control.py's decision.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from loguru import logger

from .audit import Entry
from .errors import StoreError
from .store import State, Store, Write

#: Longest wait for a write, in seconds: an operator who rolls back won't wait longer for a hung disk.
PATIENCE = 1.0

#: Audit entries kept for later; beyond that the oldest are lost (and the log has them).
_KEPT = 1000


class Journal:
    """What memory says next to what is on disk. One writer (`Control`), so calls never overlap but for `keep`."""

    def __init__(self, store: Store, state: State) -> None:
        self._store = store
        self._wanted = state
        self._saved: State | None = state  # None: unknown, a write failed midway
        self._kept: deque[Entry] = deque(maxlen=_KEPT)
        self._writes: deque[Write] = deque(maxlen=_KEPT)
        self._late: tuple[asyncio.Task[None], list[Entry]] | None = None
        #: Why the file is behind, for people; empty when it isn't known to be.
        self.failure = ""

    @property
    def behind(self) -> bool:
        """Is there anything that a restart would forget?"""
        return self._saved != self._wanted or bool(self._kept)

    async def write(self, state: State, entry: Entry | None = None, writes: Sequence[Write] = ()) -> None:
        """Save `state` with everything kept so far; on `StoreError` memory must go on as if it never happened."""
        try:
            self._look_at_late_write()
            await self._commit(state, [*self._kept, *([entry] if entry else [])], [*self._writes, *writes])
        except StoreError as error:
            self._note(str(error))
            raise
        self._wanted = self._saved = state
        self._kept.clear()
        self._writes.clear()
        self._note("")

    def keep(self, state: State, entry: Entry, writes: Sequence[Write] = ()) -> None:
        """Remember a change that took effect without being saved."""
        self._wanted = state
        self._kept.append(entry)
        self._writes.extend(writes)

    async def catch_up(self) -> bool:
        """Try to save what is kept; True when nothing is left to save."""
        if self.behind:
            try:
                await self.write(self._wanted)
            except StoreError:
                return False
        return True

    async def _commit(self, state: State, entries: list[Entry], writes: list[Write]) -> None:
        # A task of its own: SQLite can't be interrupted, so a write that takes too long goes on behind our back.
        task = asyncio.create_task(self._store.commit(state, entries, writes))
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        self._saved = None
        if not done:
            self._late = (task, entries)
            raise StoreError(f"state file {self._store.path}: writing takes over {PATIENCE:g} s; check the disk")
        task.result()

    def _look_at_late_write(self) -> None:
        """Drop what a late write saved after all from what is kept; put on record what it shouldn't have saved."""
        if self._late is None:
            return
        task, entries = self._late
        if not task.done():
            raise StoreError(f"state file {self._store.path}: an earlier write still hangs; check the disk")
        self._late = None
        if task.cancelled() or task.exception() is not None:
            return
        for entry in entries:
            if entry in self._kept:
                self._kept.remove(entry)
            else:
                undone = "was refused, yet saved when the disk came back; taken back"
                self._kept.append(replace(entry, actor="router", reason=undone, before=entry.after, after=entry.before))

    def _note(self, failure: str) -> None:
        if failure and not self.failure:
            logger.error("{}", failure)
        elif self.failure and not failure:
            logger.info("state file {}: works again, everything is saved", self._store.path)
        self.failure = failure

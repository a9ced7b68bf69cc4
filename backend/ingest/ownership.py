"""Which DuckDB file this backend uses, and how it changes: the shared one as owner, a replica of its own as follower.

A hand-over, either way, goes through the same steps, and until the last one nothing has changed for anybody who reads:

    OPENING    the other file is opened beside the one in use; refused if another process has it
    COPYING    what only the file in use has is copied, while spans go on flowing into it
    SETTLING   no more spans are taken; what came meanwhile is copied, and the shared cursor written
    SWITCHING  reads go to the other file; this one is closed, without a log beside it, and spans flow into the other

It may be killed anywhere: rows that were copied are rows that belong there, each file has a cursor of its own that is
written with its rows, and the shared cursor is never ahead of the shared file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from loguru import logger

from ..config import Settings
from ..duck import Duck, HeldError
from ..errors import BackendError, RequestError
from .indexer import Indexer
from .merge import merge
from .poller import Poller, Reader
from .progress import Progress
from .shared_cursor import SharedCursor


class Role(Enum):
    #: Holds DUCKDB_PATH, writes to it, and keeps the shared cursor.
    OWNER = "owner"
    #: Keeps a replica of its own, with a cursor of its own.
    FOLLOWER = "follower"


class Step(Enum):
    """Of a hand-over, in this order; RESTING is none."""

    RESTING = "resting"
    OPENING = "opening"
    COPYING = "copying"
    SETTLING = "settling"
    SWITCHING = "switching"


def _ignore(step: Step) -> None:
    pass


class Ownership:
    """An async context manager: the spans' file is open inside, and spans flow into it."""

    def __init__(
        self,
        settings: Settings,
        duck: Duck,
        reader: Reader,
        shared: SharedCursor,
        progress: Progress,
        observe: Callable[[float], None],
        at_step: Callable[[Step], None] = _ignore,
    ) -> None:
        """`observe` is told the seconds that a batch took, `at_step` each step of a hand-over before it begins."""
        self._settings = settings
        self._duck = duck
        self._reader = reader
        self._shared = shared
        self._progress = progress
        self._observe = observe
        self._at_step = at_step
        self._work: asyncio.Task[None] | None = None
        self.role = Role.FOLLOWER
        self.step = Step.RESTING
        #: Who held DUCKDB_PATH when it was last tried in vain, and why the last hand-over failed.
        self.holder: str | None = None
        self.failure: str | None = None

    async def __aenter__(self) -> Ownership:
        """Open the file that CUTOVER_DUCKDB_ROLE asks for, and take spans.

        Raises:
            StartError: the file can't be had.
        """
        self.role, self.holder = await open_spans(self._duck, self._settings)
        await self._take_spans()
        if self.role is Role.OWNER and self._settings.replica_path.exists():
            self._work = asyncio.create_task(self._heal(), name="heal")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})
        await self._poller.__aexit__()

    def hand_over(self, to: Role) -> None:
        """Begin a hand-over; `role`, `step` and `failure` tell how it goes. Nothing to do if the role is `to` already.

        Raises:
            RequestError: another one is under way.
        """
        if self._work is not None and not self._work.done():
            raise RequestError(409, f"files are being merged already, step {self.step.value}; try again", "handover")
        self.failure = None
        if to is not self.role:
            self.step = Step.OPENING
            self._work = asyncio.create_task(self._hand_over(to), name="hand-over")

    async def _hand_over(self, to: Role) -> None:
        logger.info("hand-over: from {} to {}", self.role.value, to.value)
        try:
            await self._move(to)
        except BackendError as error:
            self.failure = str(error)
            if isinstance(error, HeldError):
                self.holder = error.holder
            logger.error("the hand-over failed, the backend stays {}: {}", self.role.value, error)
        except Exception:
            self.failure = "an error of the backend; the log says more"
            logger.exception("the hand-over failed, the backend stays {}", self.role.value)
        finally:
            self.step = Step.RESTING

    async def _move(self, to: Role) -> None:
        self._begin(Step.OPENING)
        other = await self._duck.beside(self._path(to))
        try:
            self._begin(Step.COPYING)
            await merge(self._duck, other)
            self._begin(Step.SETTLING)
            await self._poller.__aexit__()
            try:
                await merge(self._duck, other)
                await self._shared.flush()
                self._begin(Step.SWITCHING)
                self.role, self.holder = to, None  # with the file: `take` changes it before it first waits
                await self._duck.take(other)
            finally:
                await self._take_spans()
        finally:
            await other.close()
        logger.info("hand-over done: the backend is {}, its spans are in {}", to.value, self._path(to))

    def _begin(self, step: Step) -> None:
        self.step = step
        logger.debug("hand-over: {}", step.value)
        self._at_step(step)

    async def _heal(self) -> None:
        """Copy what a replica has that is further than the file: a hand-over was killed, or Go passed over a batch."""
        try:
            replica = await self._duck.beside(self._settings.replica_path)
            try:
                ((mine,),), ((theirs,),) = await self._duck.read("cursor"), await replica.read("cursor")
                if theirs > mine:
                    await merge(replica, self._duck)
            finally:
                await replica.close()
        except BackendError as error:
            logger.warning("the replica {} was not merged: {}", self._settings.replica_path, error)

    def _path(self, role: Role) -> Path:
        return self._settings.duckdb_path if role is Role.OWNER else self._settings.replica_path

    async def _take_spans(self) -> None:
        """Poll into the file in use, from where it ends."""
        ((start,),) = await self._duck.read("cursor")
        if self.role is Role.OWNER:
            shared = await self._shared.read()
            if not start and shared:
                await self._duck.transaction(lambda transaction: transaction.run("cursor_move", {"key": shared}))
            start = owner_start(start, shared)
        indexer = Indexer(
            self._duck,
            self._progress,
            start=start,
            moved=self._shared.follow if self.role is Role.OWNER else lambda key: None,
            observe=self._observe,
        )
        settings = self._settings
        self._poller = Poller(
            self._reader,
            indexer,
            interval=settings.poll_interval,
            batch_size=settings.batch_size,
            progress=self._progress,
        )
        await self._poller.__aenter__()


class Opened(NamedTuple):
    """`holder` is who has DUCKDB_PATH, if that was tried in vain."""

    role: Role
    holder: str | None = None


async def open_spans(duck: Duck, settings: Settings) -> Opened:
    """Open the file that CUTOVER_DUCKDB_ROLE asks for; `auto` follows if another process holds DUCKDB_PATH.

    Raises:
        StartError: the file can't be had.
    """
    holder = None
    if settings.duckdb_role != "follower":
        try:
            await duck.open(settings.duckdb_path)
        except HeldError as error:
            if settings.duckdb_role == "owner":
                raise
            holder = error.holder
            logger.info("{} is held by {}; following it", settings.duckdb_path, holder)
        else:
            return Opened(Role.OWNER)
    await duck.open(settings.replica_path)
    logger.info("the spans are in the replica {}", settings.replica_path)
    return Opened(Role.FOLLOWER, holder)


def owner_start(in_file: bytes, shared: bytes) -> bytes:
    """The key from which the owner goes on, of the two cursors, empty where there is none.

    - Killed between the commit and the shared cursor, we left that behind; what lies between is read again for nothing.
    - A Go backend that owned the file meanwhile moved the shared cursor alone. It passes over batches that it can't
      store, so what lies between is read again for those; the shared cursor itself doesn't go back.
    - A file that only Go wrote, or a shared cursor that is not there: the other one.
    """
    return min(in_file, shared) if in_file and shared else in_file or shared

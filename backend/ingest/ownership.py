"""Which DuckDB file this process uses: the shared one, or a copy of its own while a peer holds that."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from loguru import logger

from ..config import Settings
from ..duck import Duck, HeldError
from .indexer import Indexer
from .poller import Poller, Reader
from .progress import Progress
from .shared_cursor import SharedCursor


class Role(Enum):
    #: Holds DUCKDB_PATH, writes to it, and keeps the shared cursor.
    OWNER = "owner"
    #: Keeps a replica of its own, with a cursor of its own.
    FOLLOWER = "follower"


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
    ) -> None:
        """`observe` is told the seconds that a batch took."""
        self._settings = settings
        self._duck = duck
        self._reader = reader
        self._shared = shared
        self._progress = progress
        self._observe = observe
        self.role = Role.FOLLOWER
        #: Who held DUCKDB_PATH when it was last tried in vain.
        self.holder: str | None = None

    async def __aenter__(self) -> Ownership:
        """Open the file that CUTOVER_DUCKDB_ROLE asks for; `auto` follows if another process holds DUCKDB_PATH.

        Raises:
            StartError: the file can't be had.
        """
        self.role, self.holder = await open_spans(self._duck, self._settings)
        self._poller = await self._polling()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._poller.__aexit__()

    async def _polling(self) -> Poller:
        ((in_file,),) = await self._duck.read("cursor")
        owner = self.role is Role.OWNER
        indexer = Indexer(
            self._duck,
            self._progress,
            start=owner_start(in_file, await self._shared.read()) if owner else in_file,
            moved=self._shared.follow if owner else lambda key: None,
            observe=self._observe,
        )
        return await Poller(
            self._reader,
            indexer,
            interval=self._settings.poll_interval,
            batch_size=self._settings.batch_size,
            progress=self._progress,
        ).__aenter__()


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

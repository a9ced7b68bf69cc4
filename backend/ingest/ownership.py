"""Which DuckDB file this process uses: the shared one, or a copy of its own while a peer holds that."""

from __future__ import annotations

from enum import Enum

from loguru import logger

from ..config import Settings
from ..duck import Duck, HeldError


class Role(Enum):
    #: Holds DUCKDB_PATH and writes to it.
    OWNER = "owner"
    #: Keeps a replica of its own.
    FOLLOWER = "follower"


async def open_spans(duck: Duck, settings: Settings) -> Role:
    """Open the file that CUTOVER_DUCKDB_ROLE asks for; `auto` follows if another process holds DUCKDB_PATH.

    Raises:
        StartError: the file can't be had.
    """
    if settings.duckdb_role != "follower":
        try:
            await duck.open(settings.duckdb_path)
        except HeldError as error:
            if settings.duckdb_role == "owner":
                raise
            logger.info("{} is held by {}; following it", settings.duckdb_path, error.holder)
        else:
            return Role.OWNER
    await duck.open(settings.replica_path)
    logger.info("the spans are in the replica {}", settings.replica_path)
    return Role.FOLLOWER

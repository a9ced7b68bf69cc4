"""Password hashes as the Go backend makes and checks them: bcrypt at cost 10, computed off the event loop.

A hash takes about 50 ms of one core, so they run in a few threads of their own (bcrypt lets go of the interpreter
meanwhile) and wait in line there: a flood of sign-ins makes sign-ins slow, and nothing else. The line is bounded, so
that a password in it is never older than a client waits.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from .errors import BackendError, HandlerError

#: Doubles the work with each step; golang.org/x/crypto/bcrypt's default.
COST = 10
#: bcrypt reads no further. Go refuses to hash more, and compares only so much.
MAX_BYTES = 72
#: Callers at once, those whose hash is being computed included: about 3 s of one thread.
MAX_WAITING = 64

T = TypeVar("T")


class PasswordsBusyError(BackendError):
    """Too many passwords are being hashed; nothing was looked at."""

    status = 503
    label = "passwords_busy"
    retry_after: int | None = 2


class Passwords:
    """Hashes and compares; leaves one core to the event loop where there is more than one."""

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._waiting = 0
        self._pool = ThreadPoolExecutor(max((os.cpu_count() or 1) - 1, 1), "passwords")

    def close(self) -> None:
        """Drop what waits; what runs ends within milliseconds."""
        self._pool.shutdown(cancel_futures=True)

    async def hash(self, password: str) -> str:
        """A hash with a new salt, 60 characters that begin with ``$2a$10$``.

        Raises:
            HandlerError: the password is longer than 72 bytes in UTF-8 (status 500, as recorded).
            PasswordsBusyError
        """
        secret = password.encode()
        if len(secret) > MAX_BYTES:
            raise HandlerError(500, "Failed to hash password", "password_too_long")
        return await self._run(lambda: _hash(secret))

    async def matches(self, password: str, hashed: str) -> bool:
        """Whether `hashed` was made from `password`; False for what isn't a bcrypt hash.

        Raises:
            PasswordsBusyError
        """
        return await self._run(lambda: _matches(password.encode()[:MAX_BYTES], hashed.encode()))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most:
            raise PasswordsBusyError("too many passwords are being checked; try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _hash(secret: bytes) -> str:
    return bcrypt.hashpw(secret, bcrypt.gensalt(COST, b"2a")).decode("ascii")


def _matches(secret: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(secret, hashed)
    except ValueError:
        return False

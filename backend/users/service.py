"""The product's users: an e-mail (any text, unique by its exact characters) and a password.

Checks and texts are the Go backend's. It checks nothing else: an empty e-mail and an empty password make a user.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import HandlerError, RequestError
from ..passwords import Passwords
from ..sqlite import ConflictError, Sqlite
from ..timestamps import rfc3339

#: Sign and digits, without zeros in front.
_INTEGER = re.compile(r"([+-]?)0*([0-9]+)", re.ASCII)
_INT64_DIGITS = 19


@dataclass(frozen=True, slots=True)
class User:
    """`created_at` is RFC 3339."""

    id: int
    email: str
    created_at: str


class Users:
    def __init__(self, sqlite: Sqlite, passwords: Passwords) -> None:
        self._sqlite = sqlite
        self._passwords = passwords

    async def exist(self) -> bool:
        rows = await self._sqlite.read("users_exist")
        return bool(rows[0][0])

    async def create_first(self, email: str, password: str) -> None:
        """Make the user that signs in first; of two calls at once one succeeds.

        Raises:
            HandlerError: there are users (400), or the password is too long (500).
        """
        taken = HandlerError(400, "Users already exist, cannot create first user.", "users_exist")
        if await self.exist():
            raise taken
        hashed = await self._passwords.hash(password)
        if not await self._sqlite.write("users_create_first", (email, hashed)):
            raise taken

    async def create(self, email: str, password: str) -> None:
        """
        Raises:
            HandlerError: the e-mail is taken (409), or the password is too long (500).
        """
        hashed = await self._passwords.hash(password)
        try:
            await self._sqlite.write("users_create", (email, hashed))
        except ConflictError as error:
            raise HandlerError(409, "A user with this email already exists", "conflict") from error

    async def all(self) -> list[User]:
        """Newest second first."""
        rows = await self._sqlite.read("users_list")
        try:
            return [User(number, email, rfc3339(created_at)) for number, email, created_at in rows]
        except ValueError as error:
            raise HandlerError(500, "Failed to fetch users", "stored_time") from error

    async def delete(self, user_id: str) -> None:
        """Delete one, if there is one of that id; whoever is signed in as them stays so.

        Raises:
            RequestError: `user_id` isn't a whole number of 64 bits.
        """
        number = _parse_int(user_id)
        if number is None:
            raise RequestError(400, "Invalid user ID format", "user_id")
        await self._sqlite.write("users_delete", (number,))


def _parse_int(text: str) -> int | None:
    """As strconv.ParseInt in base 10 to 64 bits; None where it fails."""
    # Zeros in front don't count: Python refuses texts of more than 4,300 digits.
    found = _INTEGER.fullmatch(text)
    if found is None or len(found[2]) > _INT64_DIGITS:
        return None
    number = int(found[1] + found[2])
    return number if -(2**63) <= number < 2**63 else None

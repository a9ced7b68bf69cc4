"""Keys that senders of spans show to the ingestion service, which asks this backend whether they are good.

A key is a secret: it is shown to signed-in users, and never put into a log, an error or a metric.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field

from ..errors import RequestError
from ..sqlite import Sqlite
from ..timestamps import rfc3339

_KEY_ALPHABET = string.digits + string.ascii_letters
_KEY_LENGTH = 64
#: Nanoid's defaults: 21 characters of 64, so 126 bits.
_ID_ALPHABET = _KEY_ALPHABET + "_-"
_ID_LENGTH = 21


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`created_at` is RFC 3339."""

    id: str
    key: str = field(repr=False)
    name: str
    created_at: str


class ApiKeys:
    def __init__(self, sqlite: Sqlite) -> None:
        self._sqlite = sqlite

    async def create(self, name: str) -> ApiKey:
        """
        Raises:
            RequestError: the name is empty.
        """
        if not name:
            why = "Key: 'CreateAPIKeyRequest.Name' Error:Field validation for 'Name' failed on the 'required' tag"
            raise RequestError(400, f"Validation failed: {why}", "validation")
        number, key = _random(_ID_ALPHABET, _ID_LENGTH), _random(_KEY_ALPHABET, _KEY_LENGTH)
        rows = await self._sqlite.write("api_keys_create", (number, key, name))
        return ApiKey(number, key, name, rfc3339(rows[0][0]))

    async def all(self) -> list[ApiKey]:
        """Newest second first."""
        rows = await self._sqlite.read("api_keys_list")
        try:
            return [ApiKey(number, key, name, rfc3339(created_at)) for number, key, name, created_at in rows]
        except ValueError as error:
            raise RequestError(500, "Failed to retrieve API keys", "stored_time") from error

    async def delete(self, key: str) -> None:
        """
        Raises:
            RequestError: there is no such key.
        """
        if not await self._sqlite.write("api_keys_delete", (key,)):
            raise RequestError(404, "API key not found", "api_key")

    async def validate(self, key: str) -> bool:
        """Whether spans sent with `key` are to be taken."""
        rows = await self._sqlite.read("api_keys_exists", (key,))
        return bool(rows[0][0])


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))

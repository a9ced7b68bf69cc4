"""Signs users in: their credentials against the database, and the session that they get."""

from __future__ import annotations

from ..clock import Clock
from ..errors import RequestError
from ..passwords import Passwords
from ..sqlite import Sqlite
from .cookie import SessionCookie, SessionTooLongError

#: Hash of a password that nobody knows: an unknown e-mail takes as long as a wrong password.
_NOBODY = "$2a$10$BQUJibI/HKg70yophqGZ3u6rnwfu47Sz/UnIPzw6MW3a5X7yUOvZa"


class Auth:
    """What sign-in and sign-out do, without HTTP's words for it."""

    def __init__(self, sqlite: Sqlite, passwords: Passwords, cookie: SessionCookie, clock: Clock) -> None:
        self._sqlite = sqlite
        self._passwords = passwords
        self._cookie = cookie
        self._clock = clock

    async def check(self, email: str, password: str) -> str:
        """The e-mail of the user with these credentials; its case counts.

        Raises:
            RequestError: 401.
            DatabaseBusyError, DatabaseError, PasswordsBusyError: it can't be told now.
        """
        rows = await self._sqlite.read("user_by_email", (email,))
        known, hashed = rows[0] if rows else ("", _NOBODY)
        if not await self._passwords.matches(password, hashed) or not rows:
            raise RequestError(401, "invalid credentials", "credentials")
        return str(known)

    def is_session(self, value: str) -> bool:
        return self._cookie.open(value, int(self._clock())) is not None

    def session(self, email: str) -> tuple[str, int]:
        """The cookie's value for a session that begins now, and now.

        Raises:
            RequestError: 500, the e-mail is too long for a cookie.
        """
        now = int(self._clock())
        try:
            return self._cookie.seal(email, now), now
        except SessionTooLongError:
            raise RequestError(500, "failed to save session", "session") from None

"""How many users were here lately: distinct e-mails of authenticated requests in the last 15 minutes.

Kept are 64-bit hashes in the order of their last request, so that counting only looks at what has expired.
"""

from __future__ import annotations

from .clock import Clock

WINDOW = 15 * 60
#: About 8 MB; beyond it the users longest away aren't counted.
MAX_USERS = 65_536


class Sessions:
    def __init__(self, clock: Clock, most: int = MAX_USERS) -> None:
        self._clock = clock
        self._most = most
        self._seen: dict[int, float] = {}

    def saw(self, user: str) -> None:
        """Note a request of `user`."""
        seen, key = self._seen, hash(user)
        seen.pop(key, None)
        seen[key] = self._clock()
        if len(seen) > self._most:
            del seen[next(iter(seen))]

    def count(self) -> int:
        oldest = self._clock() - WINDOW
        for key, at in list(self._seen.items()):
            if at >= oldest:
                break
            del self._seen[key]
        return len(self._seen)

"""Which key to read from, so that an entry that came late isn't missed.

The ingestion service makes a key before it commits the entry, so a later key can be there before an earlier one. When
new entries came, the next poll therefore begins `WINDOW` before the last of them, and leaves out what is known.
"""

from __future__ import annotations

from collections import deque

from .stored import KEY_BYTES, Stored, key_time

#: Seconds. A commit takes milliseconds; a poll that reads at least twice as fast as the log grows leaves at most two
#: seconds of the log behind it that it read while they were younger than one.
WINDOW = 2.0


class Overlap:
    """The keys of the last `WINDOW` that are stored."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._order: deque[bytes] = deque()
        self._settled = False

    def start(self, cursor: bytes) -> bytes:
        """The key after which a poll reads: the cursor, or one before it if entries came since the last one."""
        if self._settled:
            return cursor
        self._settled = True
        return back(cursor)

    def unknown(self, entries: list[Stored]) -> list[Stored]:
        return [entry for entry in entries if entry.key not in self._known]

    def stored(self, entries: list[Stored]) -> None:
        """Take note of new entries, and forget those that no poll will see again."""
        for entry in entries:
            self._known.add(entry.key)
            self._order.append(entry.key)
        self._settled = False
        oldest = back(max(self._order[-1], entries[-1].key))
        while self._order[0] <= oldest:
            self._known.discard(self._order.popleft())

    def again(self) -> None:
        """The last poll failed: what came late may not have been seen."""
        self._settled = False


def back(key: bytes) -> bytes:
    """The key `WINDOW` before; the same if it is no ULID."""
    at = key_time(key)
    if at is None:
        return key
    return max(0, int((at - WINDOW) * 1000)).to_bytes(6, "big") + bytes(KEY_BYTES - 6)

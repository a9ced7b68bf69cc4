"""When to give up on a peer that takes nothing of what waits for it: no byte less in the buffer for too long."""

from __future__ import annotations

from math import inf


class Stall:
    """Watches one write buffer; sizes in bytes, times in seconds on the clock of the caller."""

    __slots__ = ("_deadline", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._deadline = inf

    def begin(self, size: int, deadline: float) -> None:
        """The buffer holds `size` bytes; by `deadline` it must hold less."""
        self._size = size
        self._deadline = deadline

    def is_over(self, size: int, now: float, patience: float) -> bool:
        """Whether nothing was taken for `patience`; every byte that was taken starts it anew."""
        if size < self._size:
            self.begin(size, now + patience)
        return now >= self._deadline

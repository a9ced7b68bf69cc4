"""When to give up on a peer that takes nothing, or too little, of what waits for it.

What a peer has taken is what it acknowledged. The write buffer alone tells too late: the kernel asks for more only when
a third of its own buffer is free, which can be a megabyte, so a reader of 20 KB/s would look like one that stopped.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from asyncio import WriteTransport
from math import inf


def untaken(transport: WriteTransport) -> int:
    """Bytes that the peer hasn't acknowledged: ours, and the kernel's (SIOCOUTQ of tcp(7), the same as TIOCOUTQ)."""
    size = transport.get_write_buffer_size()
    fd = transport.get_extra_info("socket").fileno()
    if fd < 0:
        return size
    (sent,) = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)))
    return size + int(sent)


class Stall:
    """Watches what waits for one peer; sizes in bytes, times in seconds on the clock of the caller."""

    __slots__ = ("_began", "_last", "_size", "_taken")

    def __init__(self) -> None:
        self._size = 0
        self._taken = 0
        self._began = inf
        self._last = inf

    def begin(self, size: int, now: float) -> None:
        """From `now` on `size` bytes wait."""
        self._size = size
        self._taken = 0
        self._began = self._last = now

    def is_over(self, size: int, now: float, patience: float, rate: int) -> bool:
        """Whether nothing was taken for `patience`, or less than `rate` bytes/s (0: any) since `patience` was over."""
        if size < self._size:
            self._taken += self._size - size
            self._size = size
            self._last = now
        if now >= self._last + patience:
            return True
        return rate > 0 and now >= self._began + patience + self._taken / rate

"""The live routing table in shared memory: what every worker reads on each request, and where it counts.

One anonymous file (memfd) is made by the supervisor and inherited by the workers; it outlives either side. Its
layout is this module and nothing else; `VERSION` changes with it. Every cell has one writer. Anything wider than
a cell (the routes) is guarded by a generation number that is odd while it is being written, so a reader either
sees one whole state or keeps the one it had.

::

    header   4 KiB    u64 cells: magic, version, generation, weight, salt, endpoint states   (supervisor writes)
    routes   64 KiB   JSON                                                                    (supervisor writes)
    block n           gauges, counters, sessions, series of whichever worker holds block n    (that worker writes)

A block is leased to a worker by its number and outlives it: the next holder counts on from what is there, so the
totals never go back.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import Final

from .errors import TableError
from .histogram import CELLS

MAGIC: Final = 0x6375746F76657231  # "cutover1"
VERSION: Final = 4

STABLE: Final = 0
CANARY: Final = 1
ARMS: Final = ("stable", "canary")

#: Weights are whole hundredths of a percent.
WEIGHT_ONE: Final = 10_000

BLOCKS: Final = 32
ENDPOINTS: Final = 16

# Header cells.
_MAGIC: Final = 0
_VERSION: Final = 1
GENERATION: Final = 2
_WEIGHT: Final = 3
_SALT: Final = 4
_ROUTES_LENGTH: Final = 5
_REVISION: Final = 6
UP: Final = 16  # + arm * ENDPOINTS + index: 1 up, 0 down

_HEADER_BYTES: Final = 4096
ROUTES_BYTES: Final = 64 * 1024

# Block cells.
PID: Final = 0
SERIES: Final = 1
SEEN_GENERATION: Final = 2
GAUGES: Final = 8
COUNTERS: Final = 64
EJECTED: Final = 192
MINUTES: Final = 256  # + minute % SESSION_MINUTES: the minute whose sessions are in that slot
_DIRECTORY_BYTES_AT: Final = 4096
KEY_BYTES: Final = 256
SERIES_MAX: Final = 512
SESSIONS_BYTES_AT: Final = _DIRECTORY_BYTES_AT + SERIES_MAX * KEY_BYTES
SESSION_MINUTES: Final = 16
SESSION_REGISTERS: Final = 2048
SESSIONS_BYTES: Final = SESSION_MINUTES * len(ARMS) * SESSION_REGISTERS
_SERIES_BYTES_AT: Final = SESSIONS_BYTES_AT + SESSIONS_BYTES
SERIES_CELLS: Final = 1024
SUM_CELL: Final = SERIES_CELLS - 1
BLOCK_BYTES: Final = _SERIES_BYTES_AT + SERIES_MAX * SERIES_CELLS * 8
_BLOCKS_AT: Final = _HEADER_BYTES + ROUTES_BYTES
SIZE: Final = _BLOCKS_AT + BLOCKS * BLOCK_BYTES

assert CELLS < SUM_CELL
assert BLOCK_BYTES % 4096 == 0


@dataclass(frozen=True, slots=True)
class Routing:
    """One state of the split: `weight` in hundredths of a percent, `salt` 64 bits, `routes` a JSON array.

    `revision` is that of the state it came from; workers don't care.
    """

    weight: int
    salt: int
    routes: bytes
    revision: int = 0


class Block:
    """One worker's cells: `cells` are u64 from the block's start, `octets` the same memory as bytes."""

    __slots__ = ("cells", "index", "octets")

    def __init__(self, index: int, memory: memoryview) -> None:
        start = _BLOCKS_AT + index * BLOCK_BYTES
        self.index = index
        self.octets = memory[start : start + BLOCK_BYTES]
        self.cells = self.octets.cast("Q")

    def series_base(self, number: int) -> int:
        """First cell of series `number` (its histogram; `SUM_CELL` further on is the sum in µs)."""
        return _SERIES_BYTES_AT // 8 + number * SERIES_CELLS

    def key_at(self, number: int) -> int:
        """First byte of the directory entry of series `number`: u16 length, then the key."""
        return _DIRECTORY_BYTES_AT + number * KEY_BYTES


class Table:
    """The mapped file. The supervisor publishes and sets endpoint states; workers read."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, SIZE)
        self.memory = memoryview(self._map)
        self.header = self.memory[:_HEADER_BYTES].cast("Q")

    @classmethod
    def create(cls) -> Table:
        """A new table: weight 0, no routes, every endpoint down until `set_up`."""
        fd = os.memfd_create("cutover-table", os.MFD_CLOEXEC)
        os.ftruncate(fd, SIZE)
        table = cls(fd)
        table.header[_VERSION] = VERSION
        table.header[_MAGIC] = MAGIC
        return table

    @classmethod
    def attach(cls, fd: int) -> Table:
        """Map a table that another process made; `TableError` when its layout isn't this one."""
        if os.fstat(fd).st_size != SIZE:
            raise TableError("shared table has another size; it was made by another version of cutover")
        table = cls(fd)
        if (table.header[_MAGIC], table.header[_VERSION]) != (MAGIC, VERSION):
            raise TableError("shared table has another layout; it was made by another version of cutover")
        return table

    @property
    def generation(self) -> int:
        return self.header[GENERATION]

    def publish(self, routing: Routing) -> int:
        """Make `routing` what workers see from their next request on; returns the new generation."""
        if len(routing.routes) > ROUTES_BYTES:
            raise TableError(f"routes need {len(routing.routes)} bytes; the table holds {ROUTES_BYTES}")
        if not 0 <= routing.weight <= WEIGHT_ONE:
            raise TableError(f"weight {routing.weight} is outside 0..{WEIGHT_ONE}")
        odd = self.header[GENERATION] | 1
        self.header[GENERATION] = odd
        self.header[_WEIGHT] = routing.weight
        self.header[_SALT] = routing.salt
        self.header[_ROUTES_LENGTH] = len(routing.routes)
        self.header[_REVISION] = routing.revision
        self.memory[_HEADER_BYTES : _HEADER_BYTES + len(routing.routes)] = routing.routes
        self.header[GENERATION] = odd + 1
        return odd + 1

    def read(self) -> tuple[int, Routing] | None:
        """(generation, routing), or None while the supervisor is in the middle of a change."""
        header = self.header
        generation = header[GENERATION]
        routes = bytes(self.memory[_HEADER_BYTES : _HEADER_BYTES + min(header[_ROUTES_LENGTH], ROUTES_BYTES)])
        routing = Routing(header[_WEIGHT], header[_SALT], routes, header[_REVISION])
        if generation & 1 or header[GENERATION] != generation:
            return None
        return generation, routing

    def up(self, arm: int, index: int) -> bool:
        return self.header[UP + arm * ENDPOINTS + index] == 1

    def up_count(self, arm: int) -> int:
        """Endpoints of an arm that are up."""
        return sum(self.header[UP + arm * ENDPOINTS : UP + (arm + 1) * ENDPOINTS])

    def set_up(self, arm: int, states: list[bool]) -> None:
        """Active health of every endpoint of an arm, in the order of the settings."""
        for index in range(ENDPOINTS):
            self.header[UP + arm * ENDPOINTS + index] = int(index < len(states) and states[index])

    def block(self, index: int) -> Block:
        return Block(index, self.memory)

    def close(self) -> None:
        self.header.release()
        self.memory.release()
        self._map.close()
        os.close(self.fd)

"""What workers count and how it is read back: request series, error counters, gauges, active sessions.

`Counters` is the writing side, one a worker, a few cell increments a request. `Totals` sums every block for the
supervisor: metrics, console and gates all read from it. Names of Prometheus series live in metrics.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final, NamedTuple

from .histogram import CELLS, cell
from .table import (
    ARMS,
    BLOCKS,
    COUNTERS,
    EJECTED,
    ENDPOINTS,
    GAUGES,
    KEY_BYTES,
    MINUTES,
    PID,
    SERIES,
    SERIES_CELLS,
    SERIES_MAX,
    SESSION_MINUTES,
    SESSION_REGISTERS,
    SESSIONS_BYTES_AT,
    SUM_CELL,
    Block,
    Table,
)

OTHER: Final = "_OTHER"

#: How a request got its arm, the values of ``assigned_by``.
PIN: Final = 0
OVERRIDE: Final = 1
IDENTITY: Final = 2
NEW: Final = 3
FALLBACK: Final = 4
ASSIGNED_BY: Final = ("pin", "override", "identity", "new", "fallback")

#: ``kind`` of an upstream failure; a cell an arm and kind.
ERROR_KINDS: Final = (
    "refused",
    "connect_timeout",
    "tls",
    "reset",
    "timeout",
    "idle_timeout",
    "truncated",
    "bad_response",
    "pool",
    "unavailable",
)

#: ``reason`` of a request or connection that ended on the client's side.
CLIENT_KINDS: Final = (
    "bad_request",
    "too_large",
    "unsupported",
    "expectation",
    "head_timeout",
    "body_timeout",
    "write_timeout",
    "gone",
    "overload",
    "handshake",
)

#: Added to the code of an answer that broke off after its head was sent.
ABORTED: Final = 1000
#: A request that waits for its answer longer than this is counted as overdue at once, under this code of its own: a
#: canary that hangs must not be seen only when its timeouts end.
OVERDUE_SECONDS: Final = 5.0
OVERDUE: Final = 2000
#: Added to the code of a request that was counted as overdue before.
LATE: Final = 4000
#: What `Totals.series` calls the code of overdue requests.
NO_CODE: Final = "0"

#: Gauges of one worker.
CLIENTS: Final = 0
TUNNELS: Final = 1
ACTIVE: Final = 2  # + arm
IDLE: Final = 4
BUSY: Final = 6
QUEUED: Final = 8
GAUGE_CELLS: Final = 10

# Counter cells, after COUNTERS.
RETRIES: Final = 0  # retries + arm
FALLBACKS: Final = 2
ACCEPTED: Final = 3
UPGRADES: Final = 4
ERRORS: Final = 8  # + arm * len(ERROR_KINDS) + kind
CLIENT_ERRORS: Final = ERRORS + len(ARMS) * len(ERROR_KINDS)
COUNTER_CELLS: Final = CLIENT_ERRORS + len(CLIENT_KINDS)

_ERROR_CELL: Final = {
    (arm, kind): COUNTERS + ERRORS + arm * len(ERROR_KINDS) + number
    for arm in range(len(ARMS))
    for number, kind in enumerate(ERROR_KINDS)
}
_CLIENT_CELL: Final = {kind: COUNTERS + CLIENT_ERRORS + number for number, kind in enumerate(CLIENT_KINDS)}


class SeriesKey(NamedTuple):
    """Labels of one request series, as text.

    `aborted` are answers that broke off after their head; `late` are requests that were counted as overdue before.
    """

    arm: str
    assigned_by: str
    method: str
    code: str
    route: str
    aborted: bool = False
    late: bool = False


class Counters:
    """A worker's own cells. Nothing here allocates once a series exists."""

    __slots__ = ("_block", "_series", "cells", "octets")

    def __init__(self, block: Block) -> None:
        self._block = block
        self.cells = block.cells
        self.octets = block.octets
        self._series: dict[tuple[int, int, bytes, int, str], int] = {}
        for number, key in _directory(block):
            self._series[_unpack(key)] = block.series_base(number)
        for state in (*range(GAUGES, GAUGES + GAUGE_CELLS), *range(EJECTED, EJECTED + len(ARMS) * ENDPOINTS)):
            self.cells[state] = 0  # states of whoever held the block before

    def observe(self, arm: int, by: int, method: bytes, code: int, route: str, microseconds: int) -> None:
        """Count one answered request and its duration."""
        base = self._series.get((arm, by, method, code, route))
        if base is None:
            base = self._open(arm, by, method, code, route)
        cells = self.cells
        cells[base + cell(microseconds)] += 1
        cells[base + SUM_CELL] += microseconds

    def _open(self, arm: int, by: int, method: bytes, code: int, route: str) -> int:
        key = (arm, by, method, code, route)
        number = self.cells[SERIES]
        if number >= SERIES_MAX - 2 * len(ASSIGNED_BY) and route != OTHER:
            base = self._series.get((arm, by, b"", code // 100 * 100, OTHER))
            if base is None:
                base = self._open(arm, by, b"", code // 100 * 100, OTHER)
            self._series[key] = base
            return base
        if number >= SERIES_MAX:
            return self._block.series_base(SERIES_MAX - 1)
        packed = _pack(key)
        start = self._block.key_at(number)
        self.octets[start : start + 2] = len(packed).to_bytes(2, "little")
        self.octets[start + 2 : start + 2 + len(packed)] = packed
        self.cells[SERIES] = number + 1
        base = self._series[key] = self._block.series_base(number)
        return base

    def error(self, arm: int, kind: str) -> None:
        """Count an upstream failure; `kind` is one of `ERROR_KINDS`."""
        self.cells[_ERROR_CELL[arm, kind]] += 1

    def client_error(self, kind: str) -> None:
        """Count a client-side end; `kind` is one of `CLIENT_KINDS`."""
        self.cells[_CLIENT_CELL[kind]] += 1

    def count(self, counter: int) -> None:
        self.cells[COUNTERS + counter] += 1

    def gauge(self, gauge: int, change: int) -> None:
        self.cells[GAUGES + gauge] += change

    def session(self, arm: int, minute: int, identity_hash: int) -> None:
        """Mark an identity as active in `minute` (HyperLogLog, Flajolet et al. 2007).

        The split compares the hash's top bits, so the register comes from the lowest ones and the rank from the
        bits between: within an arm they are still uniform.
        """
        slot = (minute % SESSION_MINUTES) * len(ARMS) + arm
        at = SESSIONS_BYTES_AT + slot * SESSION_REGISTERS + (identity_hash & (SESSION_REGISTERS - 1))
        middle = (identity_hash >> 11) & 0xFFFFFFFF
        rank = 33 - middle.bit_length()
        if self.octets[at] < rank:
            self.octets[at] = rank

    def clear_minute(self, minute: int) -> None:
        """Begin to count sessions of `minute`, in the slot of the one that it takes the place of."""
        slot = minute % SESSION_MINUTES
        if self.cells[MINUTES + slot] == minute:
            return  # the block's last holder began it
        start = SESSIONS_BYTES_AT + slot * len(ARMS) * SESSION_REGISTERS
        self.octets[start : start + len(ARMS) * SESSION_REGISTERS] = bytes(len(ARMS) * SESSION_REGISTERS)
        self.cells[MINUTES + slot] = minute


def _pack(key: tuple[int, int, bytes, int, str]) -> bytes:
    arm, by, method, code, route = key
    return f"{arm} {by} {code} {method.decode('ascii')} {route}".encode()[: KEY_BYTES - 2]


def _unpack(packed: bytes) -> tuple[int, int, bytes, int, str]:
    arm, by, code, method, route = packed.decode("utf-8", "replace").split(" ", 4)
    return int(arm), int(by), method.encode("ascii"), int(code), route


def _directory(block: Block) -> Iterator[tuple[int, bytes]]:
    for number in range(min(block.cells[SERIES], SERIES_MAX)):
        start = block.key_at(number)
        length = int.from_bytes(block.octets[start : start + 2], "little")
        yield number, bytes(block.octets[start + 2 : start + 2 + length])


class Totals:
    """Sums over every block of a table, whoever holds it now."""

    def __init__(self, table: Table) -> None:
        self._blocks = [table.block(index) for index in range(BLOCKS)]

    def series(self, waits: bool = False) -> dict[SeriesKey, int]:
        """Labels → all cells of the series as one integer of 64-bit lanes; add them up first, then `unpack`.

        Integers add up lane by lane many times faster than lists of a thousand cells do. With `waits`, overdue
        requests are there, too, and late ones apart.
        """
        found: dict[SeriesKey, int] = {}
        for block in self._blocks:
            for number, packed in _directory(block):
                arm, by, method, code, route = _unpack(packed)
                if code == OVERDUE and not waits:
                    continue
                late, code = divmod(code, LATE)
                aborted = ABORTED <= code < OVERDUE
                name = method.decode() or OTHER
                key = SeriesKey(
                    ARMS[arm], ASSIGNED_BY[by], name, str(code % ABORTED), route, aborted, waits and bool(late)
                )
                start = block.series_base(number) * 8
                cells = int.from_bytes(block.octets[start : start + SERIES_CELLS * 8], "little")
                found[key] = found.get(key, 0) + cells
        return found

    def counter(self, counter: int) -> int:
        return sum(block.cells[COUNTERS + counter] for block in self._blocks)

    def gauge(self, gauge: int) -> int:
        return sum(block.cells[GAUGES + gauge] for block in self._blocks if block.cells[PID])

    def ejections(self, arm: int, endpoint: int) -> int:
        """Workers that leave an endpoint alone for now because it refused them."""
        cell = EJECTED + arm * ENDPOINTS + endpoint
        return sum(block.cells[cell] for block in self._blocks if block.cells[PID])

    def errors(self) -> dict[tuple[str, str], int]:
        """(arm, kind) → failures."""
        return {
            (ARMS[arm], kind): sum(block.cells[cell] for block in self._blocks)
            for (arm, kind), cell in _ERROR_CELL.items()
        }

    def client_errors(self) -> dict[str, int]:
        return {kind: sum(block.cells[cell] for block in self._blocks) for kind, cell in _CLIENT_CELL.items()}

    def sessions(self, arm: int, minute: int, minutes: int = 15) -> float:
        """Distinct identities of an arm over the last `minutes` minutes, ±2.3 % (standard error)."""
        seen = []
        for block in self._blocks:
            for counted in range(minute - minutes + 1, minute + 1):
                slot = counted % SESSION_MINUTES
                if block.cells[MINUTES + slot] == counted:  # else what an earlier holder left there long ago
                    start = SESSIONS_BYTES_AT + (slot * len(ARMS) + arm) * SESSION_REGISTERS
                    seen.append(block.octets[start : start + SESSION_REGISTERS])
        return _cardinality(bytes(map(max, _NO_SESSIONS, _NO_SESSIONS, *seen)))


_NO_SESSIONS: Final = bytes(SESSION_REGISTERS)


def unpack(packed: int) -> list[int]:
    """Histogram cells followed by the sum in µs, from what `Totals.series` gives or a sum of it."""
    cells = memoryview(packed.to_bytes(SERIES_CELLS * 8, "little")).cast("Q")
    return [*cells[:CELLS], cells[SUM_CELL]]


def _cardinality(registers: bytes) -> float:
    count = len(registers)
    estimate = (0.7213 / (1 + 1.079 / count)) * count * count / sum(2.0**-rank for rank in registers)
    empty = registers.count(0)
    if estimate <= 2.5 * count and empty:
        return count * log(count / empty)
    return estimate

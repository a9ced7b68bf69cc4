"""The latency gate: slow requests against a fixed limit, and against stable's own quantile.

Bad means slower than `max` in one test, slower than stable's quantile in the other. Both limits are edges of the
histogram grid, so nothing is interpolated, and the second one is fixed before the interval that it judges is read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..counters import OVERDUE_SECONDS
from ..histogram import CELLS, EDGES, quantile
from .evidence import Arm, Interval, Reading, Verdict
from .plan import Latency, Step
from .shares import ShareState, ShareTest, Tally, idle

#: Stable's quantile is taken over the last half hour to hour: one full half, and the one that is filling.
HALF_SECONDS = 1800.0
#: Requests of stable before its quantile is a limit for the canary.
QUANTILE_MIN = 200

_OVERDUE_CELL = bisect_left(EDGES, round(OVERDUE_SECONDS * 1e6))

#: Histogram cells by number, without empty ones.
Cells = dict[int, int]


@dataclass(slots=True)
class Hour:
    """Stable's latencies of about the last hour in which it had requests."""

    seconds: float = 0.0
    full: Cells = field(default_factory=dict)
    filling: Cells = field(default_factory=dict)

    def add(self, seconds: float, cells: Sequence[int]) -> None:
        self.seconds += seconds
        # At 100 % stable has no requests any more: what it could do last stays the limit.
        if self.seconds >= HALF_SECONDS and sum(self.filling.values()) >= QUANTILE_MIN:
            self.seconds, self.full, self.filling = 0.0, self.filling, {}
        _add(self.filling, cells)

    def limit(self, share: float) -> float | None:
        """Seconds; None while there is too little to tell."""
        cells = _dense(self.full, self.filling)
        return quantile(cells, share) if sum(cells) >= QUANTILE_MIN else None


class LatencyGate:
    """A `Latency` gate of a running rollout."""

    def __init__(self, gate: Latency, alpha: float, steps: int, saved: dict[str, Any] | None = None) -> None:
        self.gate = gate
        saved = saved or {}
        forms = (gate.max is not None) + (gate.relative is not None)
        slow = 1 - gate.quantile
        self._fixed = self._compared = None
        if gate.max is not None:
            what = f"were slower than {_milliseconds(gate.max)}"
            self._fixed = ShareTest(slow, None, None, alpha / forms, steps, what, _state(saved.get("fixed")))
        if gate.relative is not None:
            what = f"were slower than stable's p{gate.quantile * 100:g}"
            margin = gate.margin or slow / 2
            self._compared = ShareTest(
                None, gate.relative, margin, alpha / forms, steps, what, _state(saved.get("compared"))
            )
        hour = saved.get("hour", {})
        self._hour = Hour(hour.get("seconds", 0.0), _numbered(hour.get("full", {})), _numbered(hour.get("filling", {})))
        self._canary, self._stable = (_numbered(saved.get(arm, {})) for arm in ("canary", "stable"))

    def dump(self) -> dict[str, Any]:
        return {
            "fixed": self._fixed.state.dump() if self._fixed else None,
            "compared": self._compared.state.dump() if self._compared else None,
            "hour": asdict(self._hour),
            "canary": dict(self._canary),
            "stable": dict(self._stable),
        }

    def begin_step(self) -> None:
        self._canary, self._stable = {}, {}
        for test in (self._fixed, self._compared):
            if test is not None:
                test.begin_step()

    def update(self, interval: Interval) -> None:
        stable, canary = interval.arms(self.gate.route)
        if self._fixed is not None and self.gate.max is not None:
            self._fixed.update(_slow(canary, stable, self.gate.max))
        limit = self._hour.limit(self.gate.quantile)
        if self._compared is not None and limit is not None:
            self._compared.update(_slow(canary, stable, limit))
        self._hour.add(interval.seconds, stable.cells)
        _add(self._canary, canary.cells)
        _add(self._stable, stable.cells)

    def reading(self, step: Step) -> Reading:
        found = [(test.verdict(), test) for test in (self._fixed, self._compared) if test is not None]
        order: tuple[Verdict, ...] = ("fail", "hold", "pass")
        (verdict, words), worst = min(found, key=lambda each: order.index(each[0][0]))
        if verdict == "hold" and worst is self._compared and self._hour.limit(self.gate.quantile) is None:
            words = f"stable has had fewer than {QUANTILE_MIN} requests to compare with"
        if verdict == "hold" and (why := idle(step)):
            verdict, words = "pass", why
        cells = _dense(self._canary)
        return Reading(
            self.gate.label,
            self.gate.mode,
            verdict,
            words,
            value=quantile(cells, self.gate.quantile),
            bound=self.gate.max,
            baseline=quantile(_dense(self._stable), self.gate.quantile),
            trials=sum(cells),
            evidence=worst.evidence,
            threshold=worst.threshold,
            route=self.gate.route,
        )


def _slow(canary: Arm, stable: Arm, limit: float) -> Tally:
    """Trials above the histogram edge at or above `limit` seconds.

    Below `OVERDUE_SECONDS` an overdue request is a slow trial at once, and no trial any more when it ends.
    """
    first = bisect_left(EDGES, round(limit * 1e6)) + 1
    early = first <= _OVERDUE_CELL

    def count(arm: Arm) -> tuple[int, int]:
        more = arm.overdue - arm.late if early else 0
        return sum(arm.cells) + more, sum(arm.cells[first:]) + more

    return Tally(*count(canary), *count(stable))


def _add(cells: Cells, more: Sequence[int]) -> None:
    for cell, count in enumerate(more):
        if count:
            cells[cell] = cells.get(cell, 0) + count


def _dense(*found: Cells) -> list[int]:
    cells = [0] * CELLS
    for each in found:
        for cell, count in each.items():
            cells[cell] += count
    return cells


def _numbered(cells: dict[Any, int]) -> Cells:
    """Saved cells: JSON has no integer keys."""
    return {int(cell): count for cell, count in cells.items()}


def _state(raw: dict[str, Any] | None) -> ShareState | None:
    return ShareState.load(raw) if raw else None


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:g} ms"

"""The last minute, second by second: request rates, recent latency and the observed share of the canary.

A ring of samples of the shared counters, taken by a ticker; a window is the newest minus an older one. Totals since
the start come from counters.Totals directly. Nothing here reads a clock.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .counters import ASSIGNED_BY, IDENTITY, NEW, SeriesKey, unpack
from .histogram import CELLS
from .table import ARMS

#: Window of rates, and of quantiles and the observed share, in seconds.
RATE_WINDOW, MINUTE = 5.0, 60.0

#: Requests whose arm followed from the weight, the only ones that a share is taken of.
WEIGHED = frozenset((ASSIGNED_BY[IDENTITY], ASSIGNED_BY[NEW]))


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters at one time: per arm its histogram cells, and the requests the weight decided."""

    at: float
    cells: tuple[array[int], ...]
    weighed: tuple[int, ...]


def take(at: float, series: Mapping[SeriesKey, int], unweighed: Collection[str] = ()) -> Sample:
    """Sum `Totals.series` by arm; routes in `unweighed` have their own weight and don't count towards the share."""
    all_cells, weighed = dict.fromkeys(ARMS, 0), dict.fromkeys(ARMS, 0)
    for key, packed in series.items():
        all_cells[key.arm] += packed
        if key.assigned_by in WEIGHED and key.route not in unweighed:
            weighed[key.arm] += packed
    return Sample(
        at,
        tuple(array("Q", unpack(all_cells[arm])[:CELLS]) for arm in ARMS),
        tuple(sum(unpack(weighed[arm])[:CELLS]) for arm in ARMS),
    )


_NOTHING = take(0.0, {})


class Rates:
    """The ring of samples. `add` one a second; before the second one everything reads as nothing known."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)
        while self._samples[0].at < sample.at - MINUTE:
            self._samples.popleft()

    def per_second(self, arm: int) -> float:
        """Requests a second of an arm, over the last few seconds."""
        old, new = self._ends(RATE_WINDOW)
        if old.at == new.at:
            return 0.0
        return (sum(new.cells[arm]) - sum(old.cells[arm])) / (new.at - old.at)

    def recent(self, arm: int) -> list[int]:
        """Histogram cells of an arm's last minute."""
        old, new = self._ends(MINUTE)
        return [b - a for a, b in zip(old.cells[arm], new.cells[arm], strict=True)]

    def observed(self) -> float | None:
        """The canary's share of the last minute's requests that the weight decided; None without any."""
        old, new = self._ends(MINUTE)
        stable, canary = (b - a for a, b in zip(old.weighed, new.weighed, strict=True))
        return canary / (stable + canary) if stable + canary else None

    def _ends(self, window: float) -> tuple[Sample, Sample]:
        if not self._samples:
            return _NOTHING, _NOTHING
        new = self._samples[-1]
        old = next(sample for sample in self._samples if sample.at >= new.at - window)
        return old, new

"""From the workers' counters to what the gates are fed: the difference between two looks, by arm and by route.

A request counts for the arm that had to answer it. One that stable answered because the canary couldn't is a failed
one of the canary, whatever the user saw. Requests that a tester sent to an arm by override count for neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from ..counters import ASSIGNED_BY, FALLBACK, NO_CODE, OVERRIDE, SeriesKey, unpack
from ..histogram import CELLS
from ..table import ARMS, CANARY, STABLE
from .evidence import Arm

_STABLE, _CANARY = ARMS[STABLE], ARMS[CANARY]
_FALLBACK, _OVERRIDE = ASSIGNED_BY[FALLBACK], ASSIGNED_BY[OVERRIDE]

#: Labels → packed histogram cells, as counters.Totals.series gives them.
Series = Mapping[SeriesKey, int]


def difference(before: Series, after: Series) -> dict[SeriesKey, int]:
    """What was counted in between; series without a change are left out."""
    return {key: packed - before.get(key, 0) for key, packed in after.items() if packed != before.get(key, 0)}


def arms(series: Series) -> tuple[Arm, Arm]:
    """Stable and canary."""
    stable, canary = _Sum(), _Sum()
    for key, packed in series.items():
        if key.assigned_by == _OVERRIDE:
            continue
        side = canary if key.arm == _CANARY or key.assigned_by == _FALLBACK else stable
        side.add(key, packed)
    return stable.arm(), canary.arm()


def by_route(series: Series, wanted: Collection[str]) -> dict[str, tuple[Arm, Arm]]:
    """Route label → stable and canary, of the routes that are wanted."""
    routes: defaultdict[str, dict[SeriesKey, int]] = defaultdict(dict)
    for key, packed in series.items():
        if key.route in wanted:
            routes[key.route][key] = packed
    return {route: arms(found) for route, found in routes.items()}


class _Sum:
    """Adds up series of one arm."""

    __slots__ = ("_answered", "_client_errors", "_failed", "_late", "_overdue", "_trials", "_unauthorized")

    def __init__(self) -> None:
        self._answered = 0  # packed cells
        self._trials = self._failed = self._client_errors = self._unauthorized = 0
        self._overdue = self._late = 0

    def add(self, key: SeriesKey, packed: int) -> None:
        count = sum(unpack(packed)[:CELLS])
        if key.code == NO_CODE:
            self._overdue += count
            return
        code = int(key.code)
        self._trials += count
        if key.aborted or code >= 500 or key.assigned_by == _FALLBACK:
            self._failed += count
            return
        self._answered += packed
        if key.late:
            self._late += count
        if 400 <= code < 499:  # 499 is a client that left, which says nothing of the answer
            self._client_errors += count
        if code == 401:
            self._unauthorized += count

    def arm(self) -> Arm:
        cells = unpack(self._answered)[:CELLS] if self._answered else ()
        return Arm(
            self._trials, self._failed, self._client_errors, self._unauthorized, cells, self._overdue, self._late
        )

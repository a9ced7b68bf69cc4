"""What the gates are fed: what both arms did in one interval, and what a gate says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["pass", "hold", "fail"]


@dataclass(frozen=True, slots=True)
class Arm:
    """Requests of one arm that ended in an interval.

    `failed`: 5xx, no answer, a truncated one, or one that stable had to give in its place. `cells`: how long the
    others took, as counts of histogram.EDGES. `overdue` requests have waited for counters.OVERDUE_SECONDS and go on
    waiting; `late` are those in `cells` that were overdue in an interval before.
    """

    trials: int = 0
    failed: int = 0
    client_errors: int = 0
    unauthorized: int = 0
    cells: Sequence[int] = ()
    overdue: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """Everything that happened between two looks.

    `seconds` of serving time; `routes` the arms by route label; `compared` shadow answers of which `mismatched` differ
    above the noise; `endpoints_up` of the canary, `refused` connects to it; `users` active (stable, canary), and the
    share of them `intended` for the canary; `queries` the values of promql gates, None for one that couldn't be asked.
    """

    seconds: float
    stable: Arm = Arm()
    canary: Arm = Arm()
    routes: Mapping[str, tuple[Arm, Arm]] = field(default_factory=dict)
    compared: int = 0
    mismatched: int = 0
    endpoints_up: int = 1
    refused: int = 0
    users: tuple[float, float] = (0.0, 0.0)
    intended: float = 0.0
    queries: Mapping[str, float | None] = field(default_factory=dict)

    def arms(self, route: str | None) -> tuple[Arm, Arm]:
        """Stable and canary, of one route or (None) of all."""
        if route is None:
            return self.stable, self.canary
        return self.routes.get(route, (Arm(), Arm()))


@dataclass(frozen=True, slots=True)
class Reading:
    """What one gate says now. `value` is the canary's, `baseline` stable's, `bound` what the value is held against.

    `evidence` is the strongest e-value of its tests and `threshold` where it rolls back; None for gates without one.
    """

    gate: str
    mode: Literal["decide", "critical", "observe"]
    verdict: Verdict
    words: str
    value: float | None = None
    bound: float | None = None
    baseline: float | None = None
    trials: int = 0
    evidence: float | None = None
    threshold: float | None = None
    route: str | None = None

"""Sequential tests that may be looked at after every request: e-processes for shares of bad events.

Every gate asks the same question: is the canary's share of bad events (failed, slow, mismatching) above a bound? Under
the hypothesis that it is not, an e-process has expectation at most 1 at any stopping time, so rolling back when it
reaches 1/alpha is wrong with probability at most alpha, however often anybody looks (Ville's inequality; Ramdas et al.
2023, "Game-theoretic statistics and safe anytime-valid inference").

- `Absolute`: bad events of the canary against a fixed bound p0. Mixture of likelihood ratios over a grid p > p0.
- `Relative`: bad events of both arms. Of the bad events of an interval the canary's share is at most
  θ0 = r·w / (r·w + 1 - w) when its rate is at most r times stable's and w is its share of the trials; mixture over
  relative risks ρ > r (the idea: Lindon and Malek 2022, arXiv 2205.14762). Load and weight may change between
  intervals, and what hits both arms alike cancels out.

A likelihood ratio that started with the rollout sinks while all is well: after a healthy day it would take hundreds of
failures to climb back. So each test is a mixture over the moments at which the trouble may begin, too (a Shiryaev
mixture: the mass of a moment joins the sum when the moment comes, which keeps the whole an e-process):

    sum(p) ← (sum(p) + mass) · LR(p)        evidence = mean over the grid of sum(p) + the mass that hasn't come yet

Assumptions: within an interval trials are exchangeable given the arm, and the interval's end does not depend on how
its trials went. Autocorrelated failures (one burst) count as if they were independent; min_samples is against that.

Numbers may be floats or arrays of them (simulations run thousands of rollouts at once): only +, *, /, ** are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import e, lgamma, log
from typing import Any

#: A float, or an array of them.
Number = Any

GRID = 24
#: Mass of the moments: the beginning; the beginnings of later steps; any update in between.
FIRST, LATER, BETWEEN = 0.45, 0.15, 0.4
#: Updates over which the mass in between is spread nearly evenly; beyond it falls with their square. At ten updates a
#: second that is three hours.
SPREAD = 100_000
#: What begins in between is more likely to be gross: each grid point gets this many times the mass of the one below.
GROSS = 1.12
#: Evidence beyond this decides like this; it keeps floats finite.
CAP = 1e250


#: Shares of an added mass, by grid point; their mean is 1.
_EVEN = (1.0,) * GRID
_GROSSER = tuple(GRID * GROSS**point / sum(GROSS**each for each in range(GRID)) for point in range(GRID))


def geometric(low: float, high: float, count: int = GRID) -> tuple[float, ...]:
    """`count` points from just above `low` up to `high`, each the same factor from the next."""
    factor = (high / low) ** (1 / count)
    return tuple(low * factor**number for number in range(1, count + 1))


@dataclass(slots=True)
class Mixture:
    """The sums of a mixture over a grid, and the mass that is still to come.

    `steps` is how many beginnings of steps there will be; `updates` counts those that brought evidence.
    """

    steps: int
    sums: list[Number] = field(default_factory=lambda: [FIRST] * GRID)
    left: float = LATER + BETWEEN
    updates: int = 0
    begun: int = 1

    def begin_step(self) -> None:
        """Give the beginning of a later step its mass."""
        if self.begun < self.steps:
            self._add(LATER / (self.steps - 1))
            self.begun += 1

    def update(self, ratios: Sequence[Number]) -> None:
        """Multiply by the likelihood ratios of one interval, a ratio a grid point."""
        mass = BETWEEN / SPREAD / (1 + self.updates / SPREAD) ** 2
        self.updates += 1
        self._add(min(mass, self.left), _GROSSER)
        self.sums = [_capped(total * ratio) for total, ratio in zip(self.sums, ratios, strict=True)]

    def evidence(self) -> Number:
        """The e-value now."""
        return sum(self.sums) / len(self.sums) + self.left

    def _add(self, mass: float, weights: Sequence[float] = _EVEN) -> None:
        self.left -= mass
        self.sums = [total + mass * weight for total, weight in zip(self.sums, weights, strict=True)]


class Absolute:
    """H0: the canary's share of bad trials is at most `bound` (0 < bound < 1)."""

    __slots__ = ("_bad", "_good", "bound", "mixture")

    def __init__(self, bound: float, mixture: Mixture) -> None:
        self.bound = bound
        self.mixture = mixture
        grid = geometric(bound, _top(bound))
        self._bad = [log(p / bound) for p in grid]
        self._good = [log((1 - p) / (1 - bound)) for p in grid]

    def update(self, trials: Number, bad: Number) -> None:
        """One interval's trials of the canary, `bad` of them bad."""
        good = trials - bad
        self.mixture.update([_power(e, bad * up + good * down) for up, down in zip(self._bad, self._good, strict=True)])


class Relative:
    """H0: the canary's share of bad trials is at most `bound` times stable's (bound ≥ 1)."""

    __slots__ = ("_grid", "bound", "mixture")

    def __init__(self, bound: float, mixture: Mixture) -> None:
        self.bound = bound
        self.mixture = mixture
        self._grid = geometric(bound, bound * 100)

    def update(self, canary: Number, canary_bad: Number, stable: Number, stable_bad: Number) -> None:
        """One interval's trials and bad ones of both arms, each with at least one trial."""
        odds = canary / stable  # w / (1 - w)
        h0 = self.bound * odds / (1 + self.bound * odds)
        events = canary_bad + stable_bad + 1
        ratios = []
        for risk in self._grid:
            h1 = risk * odds / (1 + risk * odds)
            # By way of the geometric mean, as either factor may overflow where their product doesn't.
            mean = (h1 / h0) ** (canary_bad / events) * ((1 - h1) / (1 - h0)) ** (stable_bad / events)
            ratios.append(_power(mean, events))
        self.mixture.update(ratios)


def upper(trials: int, bad: int, alpha: float) -> float:
    """Upper end of an anytime-valid confidence sequence for the share of bad trials; 1 without trials.

    Inverts the beta-binomial mixture martingale with Jeffreys' prior (Robbins 1970; Howard et al. 2021,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences"). Holds for the running mean when the share
    drifts, because the log moment generating function of a Bernoulli variable is concave in its mean.
    """
    return 1.0 if bad == trials else _bound(trials, bad, alpha, 1.0)


def lower(trials: int, bad: int, alpha: float) -> float:
    """Lower end of the same; 0 without trials."""
    return 0.0 if bad == 0 else _bound(trials, bad, alpha, 0.0)


def _bound(trials: int, bad: int, alpha: float, outside: float) -> float:
    """The share between the observed one and `outside` at which the martingale reaches 1/alpha, by bisection."""
    good, inside = trials - bad, bad / trials
    evidence = lgamma(bad + 0.5) + lgamma(good + 0.5) - lgamma(trials + 1) - 2 * lgamma(0.5)
    for _ in range(40):
        share = (inside + outside) / 2
        if evidence - bad * log(share) - good * log(1 - share) < -log(alpha):
            inside = share
        else:
            outside = share
    return outside


def _top(bound: float) -> float:
    """The largest alternative: nearly everything is bad."""
    return max(0.99, (1 + bound) / 2)


def _power(base: Number, exponent: Number) -> Number:
    try:
        return base**exponent
    except OverflowError:
        return CAP


def _capped(value: Number) -> Number:
    return CAP if isinstance(value, float) and value > CAP else value

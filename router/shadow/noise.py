"""Which differences are noise: places where stable differs from itself.

A share of requests is asked of stable twice. A place that differs there may differ in the canary's answers too, until
the relative test of the gates (sequential.Relative) shows that it does so more than `bound` times as often. A place
where stable never differs from itself is never noise.
"""

from __future__ import annotations

from collections.abc import Collection

from ..rollout.sequential import Mixture, Relative
from .difference import Place

#: The canary may differ so many times as often as stable does.
BOUND = 2.0
#: Probability that one noisy place of a canary like stable is ever held against it.
ALPHA = 0.001
#: An interval of the test is so many comparisons of stable with itself. It ends by trials, never by what they showed.
INTERVAL = 20
#: Noisy places that a route may have; beyond them, more are not learnt (and count as differences).
MAX_PLACES = 1000


class _Noisy:
    """A place where stable differed from itself; counts of the interval under way."""

    __slots__ = ("canary", "stable", "test")

    def __init__(self, bound: float) -> None:
        self.stable = 0
        self.canary = 0
        self.test = Relative(bound, Mixture(steps=1))


class NoiseFloor:
    """The noise of one route's answers."""

    def __init__(self, bound: float = BOUND, alpha: float = ALPHA) -> None:
        self._bound = bound
        self._alpha = alpha
        self._places: dict[Place, _Noisy] = {}
        self._stable = 0
        self._canary = 0

    def add_stable(self, differing: Collection[Place]) -> None:
        """Stable was compared with itself, and differed at these places."""
        self._stable += 1
        for place in differing:
            if place not in self._places and len(self._places) < MAX_PLACES:
                self._places[place] = _Noisy(self._bound)
            if place in self._places:
                self._places[place].stable += 1
        if self._stable >= INTERVAL and self._canary:
            self._end_interval()

    def add_canary(self, differing: Collection[Place]) -> frozenset[Place]:
        """The canary was compared with stable, and differed at these places; those that count come back."""
        self._canary += 1
        for place in differing:
            if place in self._places:
                self._places[place].canary += 1
        return frozenset(place for place in differing if not self.is_noise(place))

    def is_noise(self, place: Place) -> bool:
        noisy = self._places.get(place)
        return noisy is not None and noisy.test.mixture.evidence() < 1 / self._alpha

    def _end_interval(self) -> None:
        for noisy in self._places.values():
            noisy.test.update(self._canary, noisy.canary, self._stable, noisy.stable)
            noisy.stable = noisy.canary = 0
        self._stable = self._canary = 0

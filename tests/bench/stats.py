"""Medians and ratios of interleaved rounds. Pure, and the only place where figures are condensed.

A ratio is taken within each round and then its median: what disturbed a round disturbed both sides of it, so the
median of ratios holds still where the ratio of medians wanders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from .load import Sample

Figure = Callable[[Sample], float]


def of_peer(samples: Iterable[Sample], peer: str) -> list[Sample]:
    """A peer's samples in the order of the rounds."""
    return [sample for sample in samples if sample.peer == peer]


def median_of(samples: Iterable[Sample], peer: str, figure: Figure) -> float | None:
    values = [figure(sample) for sample in of_peer(samples, peer)]
    return median(values) if values else None


def paired_ratios(samples: Sequence[Sample], upper: str, lower: str, figure: Figure) -> list[float]:
    """`upper` ÷ `lower` in each round that both took part in and that gave the lower one a figure."""
    pairs = zip(of_peer(samples, upper), of_peer(samples, lower), strict=False)
    return [figure(above) / figure(below) for above, below in pairs if figure(below) > 0]


def ratio(samples: Sequence[Sample], upper: str, lower: str, figure: Figure) -> float | None:
    ratios = paired_ratios(samples, upper, lower, figure)
    return median(ratios) if ratios else None


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """The order of a round: each round begins with the next one, so that no peer always follows the same."""
    shift = turn % len(names) if names else 0
    return [*names[shift:], *names[:shift]]


def disturbance(round_: Sequence[Sample]) -> float:
    """The largest share of the machine that foreign programs had in any run of a round."""
    return max((sample.foreign for sample in round_), default=0.0)


def calmest(rounds: Sequence[Sequence[Sample]], wanted: int) -> list[Sample]:
    """The samples of the `wanted` rounds that others disturbed least, in their order.

    Rounds are chosen by foreign load only, never by what was measured in them, and whole, so that pairs stay pairs.
    """
    by_calm = sorted(range(len(rounds)), key=lambda index: disturbance(rounds[index]))
    return [sample for index in sorted(by_calm[:wanted]) for sample in rounds[index]]


def grown(values: Sequence[float], skip: float = 0.25) -> float:
    """What a row of samples gained from the highest of its beginning to the highest of the rest.

    The beginning (the share `skip`) is left to warm-up: buffers and pools are allocated there once.
    """
    if len(values) < 2:
        return 0.0
    first = max(1, round(len(values) * skip))
    return max(values[first:], default=values[-1]) - max(values[:first])

"""E-processes: their figures, what a healthy past costs, and that they never cry wolf too often."""

from __future__ import annotations

import random
from statistics import median

import pytest

from router.rollout.sequential import CAP, Absolute, Mixture, Relative, geometric, lower, upper

#: Total alpha of 1 % over eight gates, as in the design's figures.
THRESHOLD = 8 / 0.01
STEPS = 5
MAX = 0.01


def bad(random_source: random.Random, trials: int, share: float) -> int:
    return sum(random_source.random() < share for _ in range(trials))


def needed_absolute(share: float, seed: int, healthy: int = 0, most: int = 20_000) -> int:
    """Canary requests until rollback, after `healthy` ones of which 0.1 % failed."""
    source = random.Random(seed)
    test = Absolute(MAX, Mixture(STEPS))
    for _ in range(healthy // 50):
        test.update(50, bad(source, 50, 0.001))
    assert test.mixture.evidence() < THRESHOLD
    for requests in range(1, most):
        test.update(1, bad(source, 1, share))
        if test.mixture.evidence() >= THRESHOLD:
            return requests
    return most


@pytest.mark.parametrize(("share", "most"), [(1.0, 4), (0.5, 8), (0.05, 220)])
def test_requests_needed_to_detect(share: float, most: int) -> None:
    assert median(needed_absolute(share, seed) for seed in range(201)) <= most


def test_a_long_healthy_past_costs_a_few_requests_only() -> None:
    """Without the mixture over beginnings it would take hundreds of failures."""
    assert median(needed_absolute(0.5, seed, healthy=50_000) for seed in range(21)) <= 20


def test_a_regression_against_stable_is_detected() -> None:
    """1.5 % against 0.5 % at a weight of 10 %."""

    def needed(seed: int) -> int:
        source = random.Random(seed)
        test = Relative(1.5, Mixture(STEPS))
        requests = 0
        while test.mixture.evidence() < THRESHOLD:
            test.update(10, bad(source, 10, 0.015), 90, bad(source, 90, 0.005))
            requests += 10
        return requests

    assert median(needed(seed) for seed in range(41)) <= 4000


def test_what_hits_both_arms_is_no_evidence() -> None:
    """A database that is down fails half of everything; at any weight, and while it changes."""
    source = random.Random(1)
    test = Relative(1.5, Mixture(STEPS))
    for weight in (10, 50, 90, 50, 10):
        for _ in range(200):
            test.update(weight, bad(source, weight, 0.5), 100 - weight, bad(source, 100 - weight, 0.5))
            assert test.mixture.evidence() < THRESHOLD


@pytest.mark.parametrize("share", [0.0, 0.005, 0.01])
def test_expectation_is_at_most_one(share: float) -> None:
    """The property that everything rests on, at the bound and below; the mean is taken over many short rollouts."""
    total = 0.0
    for seed in range(3000):
        source = random.Random(seed)
        test = Absolute(MAX, Mixture(STEPS))
        for _ in range(40):
            test.update(5, bad(source, 5, share))
        total += test.mixture.evidence()
    assert total / 3000 < 1.15


def test_all_mass_is_spent_once() -> None:
    mixture = Mixture(STEPS)
    for _ in range(STEPS + 3):  # one step too many begins: nothing is left for it
        mixture.begin_step()
        for _ in range(1000):
            mixture.update([1.0] * len(mixture.sums))
    assert mixture.evidence() == pytest.approx(1.0)
    assert mixture.left > 0


def test_extremes_stay_finite() -> None:
    test = Absolute(MAX, Mixture(STEPS))
    test.update(10**6, 10**6)
    test.update(10**6, 10**6)
    assert THRESHOLD < test.mixture.evidence() <= CAP
    relative = Relative(1.5, Mixture(STEPS))
    relative.update(10**6, 10**6, 10**6, 1)
    assert THRESHOLD < relative.mixture.evidence() <= CAP
    test = Absolute(MAX, Mixture(STEPS))
    test.update(10**9, 0)
    assert 0 < test.mixture.evidence() <= 1


def test_nothing_bad_is_evidence_for_the_canary() -> None:
    test = Absolute(MAX, Mixture(STEPS))
    test.update(1000, 0)
    assert test.mixture.evidence() < 1


def test_grid() -> None:
    grid = geometric(0.01, 0.99)
    assert len(grid) == 24
    assert grid[0] > 0.01
    assert grid[-1] == pytest.approx(0.99)


@pytest.mark.parametrize(("trials", "count"), [(0, 0), (1, 0), (1, 1), (100, 1), (2000, 2), (10**6, 10**3), (7, 7)])
def test_bounds_hold_the_observed_share(trials: int, count: int) -> None:
    low, high = lower(trials, count, 0.001), upper(trials, count, 0.001)
    assert 0 <= low <= high <= 1
    if trials:
        assert low <= count / trials <= high
    else:
        assert (low, high) == (0, 1)


def test_bounds_narrow_with_trials_and_widen_with_confidence() -> None:
    assert upper(10_000, 10, 0.01) < upper(1000, 1, 0.01) < upper(1000, 1, 0.001)
    assert lower(10_000, 10, 0.01) > lower(1000, 1, 0.01) >= lower(1000, 1, 0.001)


def test_bounds_cover_at_all_times() -> None:
    """Looked at after every request of 400 short lives, the true share is left out in at most alpha of them."""
    missed = 0
    for seed in range(400):
        source = random.Random(seed)
        count = 0
        for trials in range(1, 200):
            count += bad(source, 1, 0.1)
            if trials % 10 == 0 and not lower(trials, count, 0.05) <= 0.1 <= upper(trials, count, 0.05):
                missed += 1
                break
    assert missed / 400 <= 2 * 0.05

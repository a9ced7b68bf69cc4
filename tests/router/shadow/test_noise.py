"""The noise floor: what differs in stable itself is forgiven, until the canary clearly differs more often."""

from __future__ import annotations

import random

from router.shadow.difference import Kind, Place
from router.shadow.noise import INTERVAL, MAX_PLACES, NoiseFloor

PLACE = Place("$.at", Kind.VALUE)


def run(stable_rate: float, canary_rate: float, pairs: int, seed: int) -> int | None:
    """After how many comparisons the place counted, with a pair of stable each; None if it never did."""
    floor, rng = NoiseFloor(), random.Random(seed)
    floor.add_stable([PLACE])
    for number in range(pairs):
        floor.add_stable([PLACE] if rng.random() < stable_rate else [])
        if floor.add_canary([PLACE] if rng.random() < canary_rate else []):
            return number
    return None


def test_what_stable_never_does_counts_at_once() -> None:
    floor = NoiseFloor()
    floor.add_stable([])
    assert floor.add_canary([PLACE]) == {PLACE}


def test_a_place_that_differs_in_stable_is_noise_in_that_class_only() -> None:
    floor = NoiseFloor()
    floor.add_stable([PLACE])
    other = Place("$.at", Kind.TYPE)
    assert floor.add_canary([PLACE, other]) == {other}


def test_equal_noise_is_never_held_against_the_canary() -> None:
    assert [run(rate, rate, 1000, seed) for rate in (0.02, 0.3, 1.0) for seed in range(10)] == [None] * 30


def test_far_more_than_stable_counts() -> None:
    for seed in range(10):
        counted = run(0.02, 1.0, 1000, seed)
        assert counted is not None
        assert counted < 20 * INTERVAL


def test_places_are_bounded() -> None:
    floor = NoiseFloor()
    for number in range(MAX_PLACES + 10):
        floor.add_stable([Place(f"$.{number}", Kind.VALUE)])
    assert not floor.is_noise(Place(f"$.{MAX_PLACES}", Kind.VALUE))
    assert floor.is_noise(Place("$.0", Kind.VALUE))

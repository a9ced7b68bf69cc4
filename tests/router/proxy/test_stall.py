"""When a peer that takes nothing is given up."""

from __future__ import annotations

from router.proxy.stall import Stall


def test_nothing_is_over_before_it_began() -> None:
    assert not Stall().is_over(100, 1e9, 30)


def test_taking_nothing_until_the_deadline_is_over() -> None:
    stall = Stall()
    stall.begin(100, 30)
    assert not stall.is_over(100, 29.9, 30)
    assert stall.is_over(100, 30, 30)


def test_every_byte_taken_starts_it_anew() -> None:
    stall = Stall()
    stall.begin(100, 30)
    for round in range(1, 50):
        assert not stall.is_over(100 - round, round * 29.0, 30)
    assert not stall.is_over(51, 49 * 29.0 + 29.9, 30)
    assert stall.is_over(51, 49 * 29.0 + 30, 30)


def test_more_to_take_is_no_progress() -> None:
    stall = Stall()
    stall.begin(100, 30)
    assert not stall.is_over(200, 20, 30)
    assert stall.is_over(150, 30, 30), "less than it was once, but never less than at the beginning"

"""When a peer that takes nothing is given up."""

from __future__ import annotations

from router.proxy.stall import Stall


def test_nothing_is_over_before_it_began() -> None:
    assert not Stall().is_over(100, 1e9, 30, 240)


def test_taking_nothing_until_the_deadline_is_over() -> None:
    stall = Stall()
    stall.begin(100, 0)
    assert not stall.is_over(100, 29.9, 30, 0)
    assert stall.is_over(100, 30, 30, 0)


def test_every_byte_taken_starts_it_anew() -> None:
    stall = Stall()
    stall.begin(100, 0)
    for round in range(1, 50):
        assert not stall.is_over(100 - round, round * 29.0, 30, 0)
    assert not stall.is_over(51, 49 * 29.0 + 29.9, 30, 0)
    assert stall.is_over(51, 49 * 29.0 + 30, 30, 0)


def test_more_to_take_is_no_progress() -> None:
    stall = Stall()
    stall.begin(100, 0)
    assert not stall.is_over(200, 20, 30, 0)
    assert stall.is_over(150, 30, 30, 0), "less than it was once, but never less than at the beginning"


def test_a_drip_is_over_when_its_average_is_too_low() -> None:
    """10 bytes/s where 20 are asked for: 30 s are given, and half a second for each second that was paid."""
    stall = Stall()
    stall.begin(10_000, 0)
    over = [second for second in range(1, 100) if stall.is_over(10_000 - 10 * second, second, 30, 20)]
    assert over[0] == 60


def test_a_slow_reader_above_the_rate_is_never_over() -> None:
    stall = Stall()
    stall.begin(100_000, 0)
    assert not any(stall.is_over(100_000 - 20 * second, second, 30, 20) for second in range(1, 5000))

"""Windows over samples: what is recent, what share the canary had."""

from __future__ import annotations

import pytest

from router.counters import SeriesKey
from router.histogram import cell
from router.rates import Rates, take
from router.table import CANARY, STABLE

MS = 1000


def _series(stable: int = 0, canary: int = 0, by: str = "identity", route: str = "/") -> dict[SeriesKey, int]:
    return {
        SeriesKey(arm, by, "GET", "200", route): count << 64 * cell(duration)
        for arm, count, duration in (("stable", stable, 10 * MS), ("canary", canary, 20 * MS))
    }


def test_nothing_is_known_before_two_samples() -> None:
    rates = Rates()
    assert (rates.per_second(STABLE), rates.observed(), sum(rates.recent(CANARY))) == (0.0, None, 0)
    rates.add(take(1, _series(5, 5)))
    assert (rates.per_second(STABLE), rates.observed(), sum(rates.recent(CANARY))) == (0.0, None, 0)


def test_a_rate_is_of_the_last_five_seconds() -> None:
    rates = Rates()
    for second, count in enumerate([0, 100, 200, 200, 200, 200, 200, 250]):
        rates.add(take(second, _series(stable=count)))
    assert rates.per_second(STABLE) == 50 / 5
    assert rates.per_second(CANARY) == 0


def test_two_samples_at_once_are_no_rate() -> None:
    rates = Rates()
    rates.add(take(1, _series()))
    rates.add(take(1, _series(5)))
    assert rates.per_second(STABLE) == 0


def test_a_minute_is_forgotten() -> None:
    rates = Rates()
    for second in range(0, 121, 10):
        rates.add(take(second, _series(stable=0 if second < 60 else 3, canary=1 if second > 110 else 0)))
    assert (sum(rates.recent(STABLE)), sum(rates.recent(CANARY))) == (0, 1)


@pytest.mark.parametrize(
    ("series", "share"),
    [
        (_series(30, 10), 0.25),
        (_series(30, 10, by="new"), 0.25),
        (_series(30, 10, by="pin"), None),
        (_series(30, 10, by="override"), None),
        (_series(30, 10, by="fallback"), None),
        (_series(30, 10, route="own weight"), None),
        (_series(0, 0), None),
        (_series(5, 0), 0),
    ],
)
def test_the_share_is_of_what_the_weight_decided(series: dict[SeriesKey, int], share: float | None) -> None:
    rates = Rates()
    rates.add(take(0, {}))
    rates.add(take(1, series, unweighed=("own weight",)))
    assert rates.observed() == share


def test_series_of_an_arm_are_summed() -> None:
    sample = take(0, _series(1, 2) | _series(3, 4, by="new"))
    assert (sample.weighed, sum(sample.cells[STABLE]), sum(sample.cells[CANARY])) == ((4, 6), 4, 6)

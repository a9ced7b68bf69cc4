"""A healthy canary is left alone for 72 hours, at any traffic."""

from __future__ import annotations

import pytest

from tests.router.rollout.simulation import healthy


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1.0, 10.0, 100.0])
def test_a_healthy_canary_is_not_rolled_back(rate: float) -> None:
    result = healthy(rate, runs=1000, tick=600.0)
    assert result.wrong / result.runs <= 0.01, str(result)

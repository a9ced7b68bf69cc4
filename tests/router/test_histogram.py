"""The grid against the plain definition of a quantile and of a bucket."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.histogram import CELLS, EDGES, OTEL_BUCKETS, cell, otel_counts, quantile

durations = st.lists(st.integers(0, 2 * 10**8), min_size=1, max_size=200)


def _cells(values: list[int]) -> list[int]:
    cells = [0] * CELLS
    for value in values:
        cells[cell(value)] += 1
    return cells


def test_edges_rise_and_cells_are_narrow() -> None:
    assert all(low < high for low, high in pairwise(EDGES))
    assert all((high - low) / low <= 0.03 for low, high in pairwise(EDGES) if low >= 100)


@given(durations)
def test_otel_buckets_are_exact(values: list[int]) -> None:
    expected = [sum(value <= edge * 1e6 for value in values) for edge in OTEL_BUCKETS]
    assert otel_counts(_cells(values)) == [*expected, len(values)]


@given(durations, st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_three_percent_and_never_flatters(values: list[int], q: float) -> None:
    rank = max(1, -int(-q * len(values) // 1))
    exact = min(sorted(values)[rank - 1], EDGES[-1]) / 1e6
    found = quantile(_cells(values), q)
    assert found is not None
    assert exact <= found <= max(exact * 1.03, exact + 2e-6)


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile([0] * CELLS, 0.5) is None


@pytest.mark.parametrize(("value", "edge"), [(0, 2), (2, 2), (3, 4), (10**8, 10**8)])
def test_edges_are_inclusive(value: int, edge: int) -> None:
    assert EDGES[cell(value)] == edge


def test_what_is_beyond_the_grid_has_a_cell() -> None:
    assert cell(10**9) == CELLS - 1

"""What workers count is what is read back, whichever worker holds the block."""

from __future__ import annotations

import pytest
from xxhash import xxh3_64_intdigest

from router.counters import (
    ABORTED,
    ACTIVE,
    CLIENT_KINDS,
    ERROR_KINDS,
    FALLBACK,
    FALLBACKS,
    IDENTITY,
    LATE,
    NEW,
    OTHER,
    OVERDUE,
    RETRIES,
    Counters,
    SeriesKey,
    Totals,
    unpack,
)
from router.histogram import CELLS
from router.table import CANARY, KEY_BYTES, PID, SERIES, SERIES_MAX, SESSION_MINUTES, STABLE, Table


def _series(table: Table) -> dict[SeriesKey, list[int]]:
    return {key: unpack(packed) for key, packed in Totals(table).series().items()}


def test_one_request_is_one_count_and_its_time(table: Table) -> None:
    Counters(table.block(0)).observe(CANARY, IDENTITY, b"GET", 200, "/a", 1500)
    ((key, cells),) = _series(table).items()
    assert key == SeriesKey("canary", "identity", "GET", "200", "/a")
    assert (sum(cells[:CELLS]), cells[CELLS]) == (1, 1500)


def test_overdue_requests_are_apart_and_late_ones_only_when_asked(table: Table) -> None:
    counters = Counters(table.block(0))
    for code in (OVERDUE, LATE + 200, 200, LATE + ABORTED + 200):
        counters.observe(CANARY, IDENTITY, b"GET", code, "/a", 10)

    def seen(waits: bool) -> list[tuple[str, bool, bool, int]]:
        series = Totals(table).series(waits)
        return sorted((key.code, key.aborted, key.late, sum(unpack(cells)[:CELLS])) for key, cells in series.items())

    assert seen(False) == [("200", False, False, 2), ("200", True, False, 1)]
    assert seen(True) == [
        ("0", False, False, 1),
        ("200", False, False, 1),
        ("200", False, True, 1),
        ("200", True, True, 1),
    ]


def test_workers_add_up(table: Table) -> None:
    for index in range(3):
        Counters(table.block(index)).observe(STABLE, NEW, b"GET", 404, OTHER, 10)
    assert sum(_series(table)[SeriesKey("stable", "new", "GET", "404", OTHER)][:CELLS]) == 3


def test_the_next_holder_of_a_block_counts_on(table: Table) -> None:
    for _ in range(2):
        counters = Counters(table.block(0))
        counters.observe(STABLE, NEW, b"GET", 200, "/a", 10)
        counters.gauge(ACTIVE, 1)
    totals = Totals(table)
    assert sum(_series(table)[SeriesKey("stable", "new", "GET", "200", "/a")][:CELLS]) == 2
    table.block(0).cells[PID] = 1
    assert totals.gauge(ACTIVE) == 1


def test_more_series_than_fit_are_counted_as_other(table: Table) -> None:
    counters = Counters(table.block(0))
    for number in range(2 * SERIES_MAX):
        counters.observe(STABLE, IDENTITY, b"GET", 200, f"/{number}", 10)
    series = _series(table)
    assert len(series) <= SERIES_MAX
    assert sum(sum(cells[:CELLS]) for cells in series.values()) == 2 * SERIES_MAX
    assert sum(series[SeriesKey("stable", "identity", OTHER, "200", OTHER)][:CELLS]) > SERIES_MAX


def test_no_mix_of_labels_overflows_the_directory(table: Table) -> None:
    counters = Counters(table.block(0))
    for number in range(SERIES_MAX):
        for code in (200, 301, 404, 500, 101):
            counters.observe(number % 2, number % 5, b"GET", code, f"/{number}", 10)
    assert table.block(0).cells[SERIES] <= SERIES_MAX
    assert sum(sum(cells[:CELLS]) for cells in _series(table).values()) == 5 * SERIES_MAX


def test_a_long_label_is_cut(table: Table) -> None:
    Counters(table.block(0)).observe(STABLE, IDENTITY, b"GET", 200, "/" + "ä" * KEY_BYTES, 10)
    ((key, _),) = _series(table).items()
    assert key.route.startswith("/ää")


def test_errors_are_told_apart(table: Table) -> None:
    counters = Counters(table.block(1))
    for number, kind in enumerate(ERROR_KINDS):
        for _ in range(number + 1):
            counters.error(CANARY, kind)
    for kind in CLIENT_KINDS:
        counters.client_error(kind)
    errors = Totals(table).errors()
    assert [errors["canary", kind] for kind in ERROR_KINDS] == list(range(1, len(ERROR_KINDS) + 1))
    assert sum(errors["stable", kind] for kind in ERROR_KINDS) == 0
    assert set(Totals(table).client_errors().values()) == {1}


def test_counters_and_gauges(table: Table) -> None:
    counters = Counters(table.block(0))
    counters.count(RETRIES + CANARY)
    counters.count(FALLBACKS)
    counters.observe(STABLE, FALLBACK, b"GET", 200, "/", 1)
    counters.gauge(ACTIVE + CANARY, 2)
    counters.gauge(ACTIVE + CANARY, -1)
    totals = Totals(table)
    assert [totals.counter(number) for number in (RETRIES, RETRIES + CANARY, FALLBACKS)] == [0, 1, 1]
    assert totals.gauge(ACTIVE + CANARY) == 0, "nobody holds the block"
    table.block(0).cells[PID] = 4711
    assert totals.gauge(ACTIVE + CANARY) == 1


@pytest.mark.parametrize("users", [0, 1, 10, 1000, 20_000])
def test_distinct_users_are_estimated(table: Table, users: int) -> None:
    workers = [Counters(table.block(index)) for index in range(2)]
    for worker in workers:
        for minute in range(100, 103):
            worker.clear_minute(minute)
    for user in range(users):
        for worker in workers:  # seen by both, and again, is still one user
            worker.session(STABLE, 100 + user % 3, xxh3_64_intdigest(str(user).encode()))
    found = Totals(table).sessions(STABLE, 102)
    assert found == pytest.approx(users, rel=0.07, abs=0.5)
    assert Totals(table).sessions(CANARY, 102) == 0


def test_users_of_long_ago_are_forgotten(table: Table) -> None:
    counters, totals = Counters(table.block(0)), Totals(table)
    counters.clear_minute(5)
    counters.session(STABLE, 5, 12345)
    assert totals.sessions(STABLE, 5 + 14) > 0
    assert totals.sessions(STABLE, 5 + 15) == 0
    assert totals.sessions(STABLE, 5 + SESSION_MINUTES) == 0, "the slot's turn came again, but nobody holds the block"
    counters.clear_minute(5 + SESSION_MINUTES)
    assert totals.sessions(STABLE, 5 + SESSION_MINUTES) == 0


def test_a_minute_goes_on_with_the_next_holder(table: Table) -> None:
    for user in range(2):
        counters = Counters(table.block(0))
        counters.clear_minute(7)
        counters.session(STABLE, 7, user << 11 | user)
    assert Totals(table).sessions(STABLE, 7) == pytest.approx(2, abs=0.1)


def test_packed_series_add_up_as_their_cells_do(table: Table) -> None:
    counters = Counters(table.block(0))
    for duration in (1, 10**5, 10**9):
        for code in (200, 500):
            counters.observe(STABLE, IDENTITY, b"GET", code, "/", duration)
    cells = unpack(sum(Totals(table).series().values()))
    assert (sum(cells[:CELLS]), cells[CELLS]) == (6, 2 * (1 + 10**5 + 10**9))
    assert (cells[0], cells[CELLS - 1]) == (2, 2)

"""The chain shows every kind of tampering."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.audit import GENESIS, Chain, Entry, Row, append


def _rows(count: int) -> list[Row]:
    rows: list[Row] = []
    for number in range(1, count + 1):
        entry = Entry(1_800_000_000.5, "operator", "weight", "why", {"percent": number}, {"percent": 0})
        rows.append(append(entry, number, rows[-1].hash if rows else GENESIS))
    return rows


def test_a_row_tells_time_in_utc_and_values_as_json() -> None:
    row = _rows(1)[0]
    assert (row.time, row.before) == ("2027-01-15T08:00:00.500Z", '{"percent":1}')


def test_a_chain_holds_whole_and_in_pieces() -> None:
    rows, chain = _rows(5), Chain()
    assert [chain.follow(rows[:2]), chain.follow([]), chain.follow(rows[2:])] == ["", "", ""]
    assert (chain.rows, chain.last) == (5, rows[-1].hash)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: [rows[0], replace(rows[1], reason="else"), rows[2]], "row 2 was changed"),
        (lambda rows: [rows[0], replace(rows[1], after="{}"), rows[2]], "row 2 was changed"),
        (lambda rows: [rows[0], rows[2]], "row 2 is missing"),
        (lambda rows: rows[1:], "row 1 is missing"),
        (lambda rows: [rows[0], append(Entry(1, "x", "x", "x", 1, 1), 2, rows[0].hash), rows[2]], "row 3 was changed"),
        (lambda rows: [rows[0], rows[0], rows[1]], "row 2 is missing"),
    ],
)
def test_tampering_shows(spoil: object, said: str) -> None:
    assert callable(spoil)
    assert said in Chain().follow(spoil(_rows(3)))

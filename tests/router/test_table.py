"""The shared table: whole states or none, bounds, blocks that don't touch."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from router.errors import TableError
from router.table import (
    BLOCKS,
    CANARY,
    ENDPOINTS,
    GAUGES,
    GENERATION,
    ROUTES_BYTES,
    SERIES_MAX,
    STABLE,
    SUM_CELL,
    WEIGHT_ONE,
    Routing,
    Table,
)

routings = st.builds(Routing, st.integers(0, WEIGHT_ONE), st.integers(0, 2**64 - 1), st.binary(max_size=300))


def test_a_new_table_sends_nobody_to_the_canary() -> None:
    table = Table.create()
    assert table.read() == (0, Routing(0, 0, b""))
    assert not table.up(STABLE, 0)
    table.close()


@given(st.lists(routings, min_size=1, max_size=5))
@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_published_is_read_by_others(table: Table, states: list[Routing]) -> None:
    other = Table.attach(os.dup(table.fd))
    for state in states:
        generation = table.publish(state)
        assert other.read() == (generation, state)
    other.close()


def test_every_change_has_a_new_even_generation(table: Table) -> None:
    generations = [table.publish(Routing(weight, 1, b"[]")) for weight in (0, 0, 5)]
    assert generations == [2, 4, 6]


def test_a_reader_keeps_what_it_has_during_a_change(table: Table) -> None:
    table.publish(Routing(1, 1, b"[]"))
    table.header[GENERATION] |= 1
    assert table.read() is None
    assert table.publish(Routing(2, 1, b"[]")) % 2 == 0
    assert table.read() is not None


@pytest.mark.parametrize(
    "routing", [Routing(-1, 0, b""), Routing(WEIGHT_ONE + 1, 0, b""), Routing(0, 0, b"x" * (ROUTES_BYTES + 1))]
)
def test_what_does_not_fit_changes_nothing(table: Table, routing: Routing) -> None:
    table.publish(Routing(7, 7, b"[7]"))
    before = table.read()
    with pytest.raises(TableError):
        table.publish(routing)
    assert table.read() == before


def test_the_longest_routes_fit(table: Table) -> None:
    table.publish(Routing(0, 0, b"x" * ROUTES_BYTES))
    assert table.read() == (2, Routing(0, 0, b"x" * ROUTES_BYTES))


@pytest.mark.parametrize("spoil", [0, 1])
def test_another_layout_is_refused(spoil: int) -> None:
    table = Table.create()
    table.header[spoil] += 1
    with pytest.raises(TableError, match="another version"):
        Table.attach(table.fd)
    table.close()


def test_another_size_is_refused() -> None:
    fd = os.memfd_create("small")
    with pytest.raises(TableError, match="another size"):
        Table.attach(fd)
    os.close(fd)


def test_endpoint_states_are_per_arm(table: Table) -> None:
    table.set_up(STABLE, [True] * ENDPOINTS)
    table.set_up(CANARY, [False, True])
    assert [table.up(CANARY, index) for index in range(2)] == [False, True]
    assert all(table.up(STABLE, index) for index in range(ENDPOINTS))
    assert (table.up_count(STABLE), table.up_count(CANARY)) == (ENDPOINTS, 1)
    table.set_up(STABLE, [True])
    assert table.up_count(STABLE) == 1, "endpoints that are no more don't count"


def test_blocks_do_not_touch(table: Table) -> None:
    blocks = [table.block(index) for index in range(BLOCKS)]
    for index, block in enumerate(blocks):
        block.cells[0] = index + 1
        block.cells[GAUGES] = index + 1
        block.cells[block.series_base(SERIES_MAX - 1) + SUM_CELL] = index + 1
    for index, block in enumerate(blocks):
        last = block.series_base(SERIES_MAX - 1) + SUM_CELL
        assert (block.cells[0], block.cells[GAUGES], block.cells[last]) == (index + 1,) * 3
    assert table.read() == (0, Routing(0, 0, b""))

"""A disk that is full, hangs or comes back: what is lost (nothing), and how long anybody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from router import journal as module
from router.audit import Entry
from router.errors import StoreError
from router.journal import Journal
from router.store import State, Store, Write

START = State(5000, 1, None, 1)
LOWER = State(0, 1, None, 2)
HIGHER = State(9000, 1, None, 2)


def _entry(what: str) -> Entry:
    return Entry(0.0, "operator", "weight", what, 1, 2)


class FakeStore:
    """Saves in memory; fails or hangs when told to."""

    def __init__(self) -> None:
        self.path = Path("x.db")
        self.failing = False
        self.going = asyncio.Event()
        self.going.set()
        self.state: State | None = START
        self.reasons: list[str] = []

    async def commit(self, state: State | None, entries: Sequence[Entry], writes: Sequence[Write] = ()) -> None:
        await self.going.wait()
        if self.failing:
            raise StoreError("state file x.db: the disk is full; free some space")
        self.state = state
        self.reasons += [entry.reason for entry in entries]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    monkeypatch.setattr(module, "PATIENCE", 0.001)
    return FakeStore()


@pytest.fixture
def journal(store: FakeStore) -> Journal:
    return Journal(cast(Store, store), START)


async def test_a_write_is_saved(store: FakeStore, journal: Journal) -> None:
    await journal.write(LOWER, _entry("a"))
    assert (store.state, store.reasons, journal.behind, journal.failure) == (LOWER, ["a"], False, "")


async def test_what_is_kept_is_saved_in_order_when_the_disk_is_back(store: FakeStore, journal: Journal) -> None:
    store.failing = True
    with pytest.raises(StoreError):
        await journal.write(LOWER, _entry("refused"))
    journal.keep(LOWER, _entry("a"))
    journal.keep(replace(LOWER, revision=3), _entry("b"))
    assert not await journal.catch_up()
    assert (journal.behind, "disk is full" in journal.failure) == (True, True)
    store.failing = False
    assert await journal.catch_up()
    assert store.state == replace(LOWER, revision=3)
    assert (store.reasons, journal.behind, journal.failure) == (["a", "b"], False, "")


async def test_a_later_write_saves_what_was_kept(store: FakeStore, journal: Journal) -> None:
    journal.keep(LOWER, _entry("a"))
    await journal.write(replace(LOWER, revision=3), _entry("b"))
    assert (store.reasons, journal.behind) == (["a", "b"], False)


async def test_nobody_waits_for_a_hung_disk(store: FakeStore, journal: Journal) -> None:
    store.going.clear()
    with pytest.raises(StoreError, match="takes over"):
        await journal.write(LOWER, _entry("a"))
    with pytest.raises(StoreError, match="still hangs"):
        await journal.write(LOWER, _entry("a"))
    assert not await journal.catch_up()
    store.going.set()


async def _come_back(store: FakeStore) -> None:
    store.going.set()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_kept_change_that_is_saved_late_is_on_record_once(store: FakeStore, journal: Journal) -> None:
    store.going.clear()
    lowering = _entry("a")
    with pytest.raises(StoreError):
        await journal.write(LOWER, lowering)
    journal.keep(LOWER, lowering)
    await _come_back(store)
    assert await journal.catch_up()
    assert (store.state, store.reasons) == (LOWER, ["a"])


async def test_a_refused_change_that_is_saved_late_is_taken_back(store: FakeStore, journal: Journal) -> None:
    store.going.clear()
    with pytest.raises(StoreError):
        await journal.write(HIGHER, _entry("a"))
    await _come_back(store)
    assert store.state == HIGHER
    assert journal.behind
    assert await journal.catch_up()
    assert store.state == START
    assert (store.reasons[0], "taken back" in store.reasons[1]) == ("a", True)


async def test_a_hung_write_that_fails_after_all_leaves_nothing(store: FakeStore, journal: Journal) -> None:
    store.going.clear()
    with pytest.raises(StoreError):
        await journal.write(HIGHER, _entry("a"))
    store.failing = True
    await _come_back(store)
    store.failing = False
    assert await journal.catch_up()
    assert (store.state, store.reasons) == (START, [])

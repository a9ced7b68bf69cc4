"""A control plane without processes: a real table and a real state file, a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from router.config import Settings
from router.control import Control
from router.rollout.driver import Rollouts
from router.store import Store
from router.table import CANARY, STABLE, Table
from tests.router.fakes import FakeClock, make_settings


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create()
    table.set_up(STABLE, [True])
    table.set_up(CANARY, [True])
    yield table
    os.close(table.fd)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    store = await Store.open(settings.state)
    yield store
    await store.close()


@pytest.fixture
async def control(settings: Settings, table: Table, store: Store, clock: FakeClock) -> Control:
    control = Control(settings, table, store, clock)
    await control.open()
    return control


@pytest.fixture
async def rollouts(control: Control, store: Store, clock: FakeClock) -> Rollouts:
    rollouts = Rollouts(control, store, clock)
    await rollouts.open()
    return rollouts

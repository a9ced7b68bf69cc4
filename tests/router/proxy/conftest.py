"""A wire, ready-made or with settings of its own; every one is taken down after its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.router.proxy.fakes import MakeWire, Wire


@pytest.fixture
async def make_wire(tmp_path: Path) -> AsyncIterator[MakeWire]:
    made: list[Wire] = []

    def make(**changes: Any) -> Wire:
        made.append(Wire(tmp_path, **changes))
        return made[-1]

    yield make
    for wire in made:
        await wire.close()


@pytest.fixture
async def wire(make_wire: MakeWire) -> Wire:
    return make_wire()

"""A state file that can't be written: traffic and a roll-back don't wait for it, a raise is refused."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, wait_until
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def _persisted(router: Router) -> bool:
    persisted: bool = router.status()["store"]["persisted"]
    return persisted


def test_locked_state_file_under_load(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    with running_router(tmp_path, stable, canary, percent=50) as router:
        with running_load(router.port) as load:
            load.more(100)
            with _locked(router.state):
                load.more(100)
                refused, problem = router.ask("PUT", "/api/v1/weight", {"percent": 75, "reason": "raise"})
                unchanged = router.weight()
                lowered, text = router.ask("PUT", "/api/v1/weight", {"percent": 10, "reason": "roll back"})
                in_force, behind = router.weight(), not _persisted(router)
                load.more(300)
            wait_until(lambda: _persisted(router), "what was kept is saved")
            load.more(100)
        router.kill_all()
        router.start()
        kept = router.weight()
    note = f"raise: {refused}, lower: {lowered} and in force; after the lock and a kill -9 of all: {kept:g} %"
    row = figures.add("state file locked, weight raised and lowered", load.events, note)
    assert not load.failures(), row
    assert (refused, unchanged) == (503, 50)
    assert "locked" in problem
    assert lowered == 200
    assert json.loads(text)["persisted"] is False
    assert (in_force, behind, kept) == (10, True, 10)

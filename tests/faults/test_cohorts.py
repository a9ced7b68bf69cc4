"""Acceptance of the split: who is in the canary is a fact about the user, whatever happens to the processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from router.proxy.worker import new_loop
from tests.faults.client import Connection
from tests.faults.figures import Figures
from tests.faults.load import HANG, request
from tests.faults.processes import Upstream
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow

USERS = 10_000
CLIENTS = 16


def _canary(router: Router) -> set[int]:
    """Ask once for every user; those who were answered by the canary."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        arms = runner.run(_arms(router.port))
    assert len(arms) == USERS
    assert set(arms.values()) == {"stable", "canary"}
    return {user for user, arm in arms.items() if arm == "canary"}


async def _arms(port: int) -> dict[int, str]:
    arms: dict[int, str] = {}

    async def ask(first: int) -> None:
        connection = await Connection.open(port)
        for user in range(first, USERS, CLIENTS):
            answer = await connection.ask(request("GET", "/api/items/1", str(user), f"visitor-{user}"))
            assert (answer.status, answer.fields["x-unique"]) == (200, str(user))
            arms[user] = answer.fields["x-cutover-arm"]
        await connection.close()

    async with asyncio.timeout(HANG):
        await asyncio.gather(*map(ask, range(CLIENTS)))
    return arms


def test_ten_thousand_users(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    with running_router(tmp_path, stable, canary, percent=12.5) as router:
        first = _canary(router)
        again = _canary(router)
        router.kill_all()
        router.configure(workers=2)
        router.start()
        with_two_workers = _canary(router)
        kept = router.weight()
        router.set_weight(25)
        raised = _canary(router)
        router.kill_all()
        router.configure(workers=1)
        router.start()
        restarted = _canary(router)
        note = (
            f"canary had {len(first) / USERS:.2%} at 12.5 %, {len(raised) / USERS:.2%} at 25 %; "
            f"{len(first ^ again)} changed sides in a second pass, {len(first ^ with_two_workers)} after kill -9 of "
            f"all and a restart with 2 workers, {len(raised ^ restarted)} after another with 1, "
            f"{len(first - raised)} moved back by 25 %"
        )
    figures.note("10,000 cookies, 5 passes", 5 * USERS, note)
    assert abs(len(first) / USERS - 0.125) <= 0.01
    assert abs(len(raised) / USERS - 0.25) <= 0.01
    assert kept == 12.5
    assert again == first
    assert with_two_workers == first
    assert first <= raised
    assert restarted == raised

"""A rollout on real counters and a real state file, with a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from router.config import Route, Settings
from router.control import Control
from router.counters import ABORTED, FALLBACK, IDENTITY, OVERDUE, OVERRIDE, Counters
from router.errors import RefusedError, StoreError
from router.rollout.driver import TICK, Rollouts
from router.rollout.plan import Plan
from router.store import Store
from router.table import CANARY, STABLE, Table
from tests.router.fakes import FakeClock

PLAN = {
    "step": [{"name": "some", "percent": 10, "hold": 60, "min_samples": 100}, {"name": "all", "percent": 100}],
    "watch": {"for": 100},
    "gate": [{"metric": "errors", "max": 0.05, "mode": "critical"}, {"metric": "health"}],
}


class World:
    """The driver and everything around it; `traffic` is what the workers would count."""

    def __init__(self, control: Control, store: Store, clock: FakeClock) -> None:
        self.control, self.store, self.clock = control, store, clock
        self.counters = Counters(control.table.block(0))
        self.rollouts = Rollouts(control, store, clock)

    def traffic(self, requests: int, bad: int = 0, arm: int = CANARY, code: int = 500, by: int = IDENTITY) -> None:
        for number in range(requests):
            self.counters.observe(arm, by, b"GET", code if number < bad else 200, "/a", 5000)

    async def pass_time(self, seconds: float, requests: int = 0, bad: int = 0) -> None:
        """Ticks over `seconds`, the traffic in the first of them."""
        self.traffic(requests, bad)
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            await self.rollouts.tick()

    async def restart(self) -> None:
        """A new supervisor on the same state file and table."""
        self.control = Control(self.control.settings, self.control.table, self.store, self.clock)
        await self.control.open()
        self.rollouts = Rollouts(self.control, self.store, self.clock)
        await self.rollouts.open()

    @property
    def phase(self) -> str:
        assert self.rollouts.current is not None
        return self.rollouts.current.state.phase

    @property
    def step(self) -> int:
        assert self.rollouts.current is not None
        return self.rollouts.current.state.step

    def weight(self) -> float:
        found = self.control.table.read()
        assert found is not None
        return found[1].weight / 100


@pytest.fixture
async def world(control: Control, store: Store, clock: FakeClock) -> World:
    found = World(control, store, clock)
    await found.rollouts.open()
    return found


async def begin(world: World, **changes: Any) -> None:
    await world.rollouts.start(Plan.model_validate(PLAN | changes), "operator", "go")


async def test_a_healthy_canary_walks_the_plan(world: World) -> None:
    await begin(world)
    assert world.weight() == 10
    await world.pass_time(61, requests=1000)
    assert (world.step, world.weight()) == (1, 100)
    await world.pass_time(1, requests=1000)
    assert world.step == 2
    await world.pass_time(101, requests=1000)
    assert (world.phase, world.weight()) == ("completed", 100)
    actions = [row["action"] for row in await world.rollouts.decisions(10, 99)]
    assert actions == ["complete", "advance", "advance", "start"]
    assert (await world.control.verify()).intact


async def test_a_bad_canary_is_rolled_back_in_the_same_tick(world: World) -> None:
    await begin(world)
    await world.pass_time(5, requests=100)
    await world.pass_time(TICK, requests=30, bad=20)
    assert (world.phase, world.weight()) == ("rolled_back", 0)
    assert world.rollouts.decision_lag is not None
    await world.pass_time(1000, requests=1000)
    assert (world.phase, world.weight()) == ("rolled_back", 0)


@pytest.mark.parametrize(
    ("code", "arm", "by", "ends"),
    [
        (500, CANARY, IDENTITY, True),
        (200 + ABORTED, CANARY, IDENTITY, True),
        (200, STABLE, FALLBACK, True),
        (500, CANARY, OVERRIDE, False),
        (500, STABLE, IDENTITY, False),
        (404, CANARY, IDENTITY, False),
        (499, CANARY, IDENTITY, False),
    ],
)
async def test_what_counts_against_the_canary(world: World, code: int, arm: int, by: int, ends: bool) -> None:
    await begin(world)
    world.traffic(30, 30, arm, code, by)
    await world.pass_time(TICK)
    assert (world.phase == "rolled_back") is ends


async def test_a_hung_canary_is_rolled_back_while_its_requests_wait(world: World) -> None:
    await begin(world, gate=[{"metric": "latency", "max": "500ms"}])
    await world.pass_time(1, requests=200)
    for _ in range(30):
        world.counters.observe(CANARY, IDENTITY, b"GET", OVERDUE, "/a", 5_000_000)
    await world.pass_time(TICK)
    assert (world.phase, world.weight()) == ("rolled_back", 0)
    _, explanation = await world.rollouts.explain(2)
    assert explanation.holds


async def test_no_traffic_holds_and_says_why(world: World) -> None:
    await begin(world)
    await world.pass_time(120)
    assert (world.phase, world.step, world.weight()) == ("running", 0, 10)
    assert world.rollouts.current is not None
    assert any("100 canary requests are left" in text for text in world.rollouts.current.missing)


async def test_no_endpoint_rolls_back_at_once(world: World) -> None:
    await begin(world)
    world.control.table.set_up(CANARY, [False])
    await world.pass_time(TICK)
    assert world.phase == "rolled_back"


async def test_refused_connects_roll_back_at_once(world: World) -> None:
    await begin(world)
    for _ in range(5):
        world.counters.error(CANARY, "refused")
    await world.pass_time(TICK)
    assert world.phase == "rolled_back"


async def test_refused_connects_between_answers_do_not(world: World) -> None:
    await begin(world)
    for _ in range(20):
        world.counters.error(CANARY, "refused")
        await world.pass_time(TICK, requests=5)
    assert world.phase == "running"


async def test_a_restart_goes_on_where_it_was(world: World) -> None:
    await begin(world)
    await world.pass_time(30, requests=90)
    assert world.rollouts.current is not None
    before = world.rollouts.current
    await world.restart()
    after = world.rollouts.current
    assert (after.id, after.plan, after.state.step, world.weight()) == (before.id, before.plan, 0, 10)
    assert before.state.elapsed - 1.1 <= after.state.elapsed <= before.state.elapsed
    assert after.state.samples == before.state.samples
    await world.pass_time(32, requests=1000)
    assert world.step == 1


async def test_time_that_nobody_watched_does_not_count(world: World) -> None:
    await begin(world)
    world.clock.advance(10_000)
    await world.rollouts.tick()
    assert world.rollouts.current is not None
    assert world.rollouts.current.state.elapsed <= 2


async def test_commands(world: World) -> None:
    await begin(world)
    await world.pass_time(30, requests=1000)
    await world.rollouts.command("pause", "operator", "look")
    await world.pass_time(100)
    assert (world.phase, world.step, world.weight()) == ("paused", 0, 10)
    await world.rollouts.command("resume", "operator", "fine")
    await world.pass_time(29)
    assert world.step == 0
    await world.pass_time(2)
    assert world.step == 1
    await world.rollouts.command("rollback", "operator", "no")
    assert (world.phase, world.weight()) == ("rolled_back", 0)
    with pytest.raises(RefusedError, match="rolled back"):
        await world.rollouts.command("resume", "operator", "hm")


async def test_promote_skips_the_hold(world: World) -> None:
    await begin(world)
    await world.rollouts.command("promote", "operator", "urgent")
    assert (world.step, world.weight()) == (1, 100)


async def test_abort_leaves_the_weight(world: World) -> None:
    await begin(world)
    await world.rollouts.command("abort", "operator", "by hand from here")
    assert (world.phase, world.weight()) == ("aborted", 10)


async def test_a_weight_set_by_hand_pauses_the_plan(world: World) -> None:
    await begin(world)
    await world.rollouts.set_weight(3, "operator", "careful")
    assert (world.phase, world.weight()) == ("paused", 3)
    await world.rollouts.command("resume", "operator", "go on")
    assert (world.phase, world.weight()) == ("running", 10)


async def test_only_one_is_live(world: World) -> None:
    await begin(world)
    with pytest.raises(RefusedError, match="is live"):
        await begin(world)
    await world.rollouts.command("rollback", "operator", "no")
    await begin(world)
    assert world.rollouts.current is not None
    assert world.rollouts.current.id == 2


async def test_a_new_rollout_deals_the_users_anew_unless_told(world: World) -> None:
    def salt() -> int:
        found = world.control.table.read()
        assert found is not None
        return found[1].salt

    first = salt()
    await begin(world, keep_cohorts=True)
    assert salt() == first
    await world.rollouts.command("abort", "operator", "again")
    await begin(world)
    assert salt() != first


async def test_commands_need_a_rollout_and_the_newest_revision(world: World) -> None:
    with pytest.raises(RefusedError, match="no rollout"):
        await world.rollouts.command("pause", "operator", "why")
    await begin(world)
    with pytest.raises(RefusedError, match="revision"):
        await world.rollouts.command("pause", "operator", "why", if_match=1)


async def test_a_decision_explains_itself_from_its_evidence(world: World) -> None:
    await begin(world)
    await world.pass_time(7.3, requests=500, bad=2)
    await world.pass_time(TICK, requests=20, bad=15)
    row, explanation = await world.rollouts.explain(2)
    assert row["action"] == "rollback"
    assert explanation.holds
    assert "17 of 520 canary requests failed" in explanation.words
    assert explanation.gates[0].startswith("errors: fail")
    _, own = await world.rollouts.explain(1)
    assert own.holds
    with pytest.raises(RefusedError, match="no decision 9"):
        await world.rollouts.explain(9)


async def test_an_advance_explains_itself_too(world: World) -> None:
    await begin(world)
    await world.pass_time(61, requests=1000)
    _, explanation = await world.rollouts.explain(2)
    assert explanation.holds


async def test_without_a_disk_it_holds_but_rolls_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin(world)

    async def full(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "commit", full)
        await world.pass_time(70, requests=1000)
        assert (world.phase, world.step, world.weight()) == ("running", 0, 10)
        assert world.rollouts.current is not None
        assert "can't be saved" in world.rollouts.current.missing[0]
        await world.pass_time(TICK, requests=100, bad=100)
        assert (world.phase, world.weight()) == ("rolled_back", 0)
    await world.control.close()
    await world.restart()
    assert (world.phase, world.weight()) == ("rolled_back", 0)
    _, explanation = await world.rollouts.explain(2)
    assert explanation.holds


async def test_evidence_stays_small_while_the_disk_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin(world)

    async def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.store, "commit", full)
    await world.pass_time(90, requests=1000)
    assert world.rollouts.current is not None
    assert len(world.rollouts.current.since) <= 11


async def test_a_canary_taken_out_of_the_settings_holds_the_plan(world: World) -> None:
    await begin(world)
    world.control.settings = world.control.settings.model_copy(update={"canary": ()})
    await world.pass_time(70, requests=1000)
    assert (world.phase, world.step) == ("running", 0)
    assert world.rollouts.current is not None
    assert "no canary endpoint" in world.rollouts.current.missing[0]


async def test_a_reload_leaves_the_running_plan_alone(world: World) -> None:
    await begin(world)
    other = Plan.model_validate(PLAN | {"name": "other"})
    await world.control.reconfigure(world.control.settings.model_copy(update={"plan": other}))
    await world.pass_time(61, requests=1000)
    assert world.rollouts.current is not None
    assert (world.rollouts.current.plan, world.step) == (Plan.model_validate(PLAN), 1)


async def test_a_gate_of_an_unknown_route_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="there is no route '/typo'"):
        await begin(world, gate=[{"metric": "errors", "max": 0.05, "route": "/typo"}])
    assert world.rollouts.current is None


async def test_a_plan_of_another_version_is_named(world: World) -> None:
    await begin(world)
    await world.store._connection.execute("UPDATE rollouts SET plan = json_set(plan, '$.stepp', 1)")
    with pytest.raises(StoreError, match="rollout 1 can't be read by this version"):
        await world.restart()


async def test_a_lowered_weight_found_at_start_pauses_the_plan(world: World) -> None:
    """As after a rollback that couldn't be saved before everything died but the workers."""
    await begin(world)
    await world.control.set_weight(0, "router", "lowered behind the plan's back")
    await world.restart()
    assert (world.phase, world.weight()) == ("paused", 0)


async def test_a_bad_route_is_pinned_to_stable(world: World, settings: Settings) -> None:
    await world.control.set_routes([Route(path="/a", name="/a")], "operator", "watch it")
    gate = {"metric": "errors", "max": 0.05, "route": "/a"}
    await begin(world, gate=[gate])
    await world.pass_time(TICK, requests=30, bad=20)
    assert (world.phase, world.weight()) == ("running", 10)
    assert [route.pin for route in world.control.routes] == ["stable"]
    await world.restart()
    assert [route.pin for route in world.control.routes] == ["stable"]


async def test_start_and_tick_at_once_do_not_mix(world: World) -> None:
    await asyncio.gather(begin(world), *(world.rollouts.tick() for _ in range(5)))
    assert world.phase == "running"


def test_the_table_is_real(table: Table) -> None:
    assert os.fstat(table.fd).st_size

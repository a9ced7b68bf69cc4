"""What operators may do, in which order it takes effect, and what still works without a disk."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from router.config import Route, Settings
from router.control import Control, weight_of
from router.counters import ACTIVE, IDENTITY, NEW, Counters
from router.errors import RefusedError, StoreError
from router.status import WorkerInfo, fingerprint
from router.store import Store
from router.table import CANARY, PID, STABLE, Routing, Table
from tests.router.fakes import CANARY_URL, FakeClock, make_settings


def _routing(table: Table) -> Routing:
    found = table.read()
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("percent", "weight"), [(0, 0), (0.01, 1), (12.5, 1250), (33.33, 3333), (0.29, 29), (57.29, 5729), (100, 10_000)]
)
def test_a_weight_is_whole_hundredths(percent: float, weight: int) -> None:
    assert weight_of(percent) == weight


@pytest.mark.parametrize("percent", [-0.01, 100.01, 12.345, 1e-9, math.nan, math.inf, -math.inf])
def test_what_is_no_weight_names_the_field(percent: float) -> None:
    with pytest.raises(RefusedError) as caught:
        weight_of(percent)
    assert (caught.value.status, list(caught.value.fields)) == (422, ["percent"])


async def test_a_change_is_saved_published_and_on_record(control: Control, table: Table, store: Store) -> None:
    change = await control.set_weight(12.5, "operator@::1", "try")
    assert (change.revision, change.persisted) == (2, True)
    assert (control.percent, _routing(table).weight, (await store.load()).weight) == (12.5, 1250, 1250)
    (row,) = await control.audit(10)
    assert (row.actor, row.action, row.reason) == ("operator@::1", "weight", "try")
    assert (row.before, row.after, row.outcome) == ('{"percent":0.0}', '{"percent":12.5}', "ok")
    assert (await control.verify()).intact


async def test_it_is_saved_before_it_is_published(
    control: Control, table: Table, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    publish = table.publish

    def watched(routing: Routing) -> int:
        seen.append((routing.weight, control._journal._saved.weight if control._journal._saved else -1))
        return publish(routing)

    monkeypatch.setattr(table, "publish", watched)
    await control.set_weight(10, "a", "r")
    assert seen == [(1000, 1000)]


async def test_state_survives_a_restart(control: Control, settings: Settings, store: Store) -> None:
    await control.set_weight(25, "a", "r")
    await control.set_routes([Route(path="/x/*", pin="stable")], "a", "r")
    salt = _routing(control.table).salt
    after = Control(settings, Table.create(), store)
    await after.open()
    assert (after.percent, after.revision, after.routes[0].pin) == (25, 3, "stable")
    assert _routing(after.table).salt == salt


async def test_two_operators_do_not_overwrite_each_other(control: Control) -> None:
    seen = control.revision
    await control.set_weight(10, "a", "r", if_match=seen)
    with pytest.raises(RefusedError, match="revision is 2, not 1") as caught:
        await control.set_weight(20, "b", "r", if_match=seen)
    assert (caught.value.status, control.percent) == (412, 10)
    with pytest.raises(RefusedError):
        await control.set_routes([], "b", "r", if_match=seen)


async def test_without_a_canary_the_weight_stays_zero(tmp_path: Path, table: Table, store: Store) -> None:
    control = Control(make_settings(tmp_path, canary=()), table, store)
    await control.open()
    with pytest.raises(RefusedError, match="no canary endpoint") as caught:
        await control.set_weight(1, "a", "r")
    assert caught.value.status == 409
    assert (await control.set_weight(0, "a", "r")).persisted


class TestRoutes:
    async def test_those_of_the_settings_apply_until_others_are_set(
        self, tmp_path: Path, table: Table, store: Store
    ) -> None:
        control = Control(make_settings(tmp_path, route=[{"path": "/a"}]), table, store)
        await control.open()
        assert [route["path"] for route in orjson.loads(_routing(table).routes)] == ["/a"]
        await control.reconfigure(make_settings(tmp_path, route=[{"path": "/b"}]))
        assert [route["path"] for route in orjson.loads(_routing(table).routes)] == ["/b"]
        await control.set_routes([], "a", "r")
        await control.reconfigure(make_settings(tmp_path, route=[{"path": "/c"}]))
        assert orjson.loads(_routing(table).routes) == []

    async def test_they_reach_the_workers_whole(self, control: Control, table: Table) -> None:
        await control.set_routes([Route(path="/a/*", methods=("GET",), percent=5, first_byte=2)], "a", "r")
        assert orjson.loads(_routing(table).routes) == [
            {
                "path": "/a/*",
                "methods": ["GET"],
                "name": "",
                "pin": None,
                "percent": 5.0,
                "mirror": None,
                "first_byte": 2.0,
            }
        ]

    @pytest.mark.parametrize(
        "routes",
        [
            [Route(path=f"/{number}") for number in range(65)],
            [Route(path="/" + "x" * 500, methods=tuple(f"M{number}" for number in range(200)))] * 64,
        ],
    )
    async def test_too_many_or_too_large_are_refused(self, control: Control, routes: list[Route]) -> None:
        with pytest.raises(RefusedError, match="at most 64 routes") as caught:
            await control.set_routes(routes, "a", "r")
        assert (caught.value.status, control.revision) == (422, 1)

    async def test_routes_of_another_version_are_named(self, control: Control, store: Store) -> None:
        await store._connection.execute("""UPDATE state SET routes = '[{"path": "/", "colour": "red"}]'""")
        with pytest.raises(StoreError, match="routes can't be read by this version"):
            await control.open()


class TestDiskFull:
    @pytest.fixture
    async def full(self, control: Control, store: Store) -> Control:
        await control.set_weight(50, "a", "r")
        await store._connection.execute("PRAGMA query_only = ON")  # fails as a full disk does, at the first write
        return control

    async def test_the_weight_can_be_lowered(self, full: Control, table: Table) -> None:
        change = await full.set_weight(0, "operator", "rollback")
        assert (change.persisted, full.percent, _routing(table).weight) == (False, 0, 0)
        status = full.status()
        assert (status.store.state, status.store.persisted) == ("failed", False)
        assert status.store.message

    async def test_nothing_else_can(self, full: Control, table: Table) -> None:
        with pytest.raises(StoreError, match="refused, because it can't be saved"):
            await full.set_weight(60, "a", "r")
        with pytest.raises(StoreError, match="refused, because it can't be saved"):
            await full.set_routes([], "a", "r")
        assert (full.percent, full.revision, _routing(table).weight) == (50, 2, 5000)

    async def test_it_is_saved_when_the_disk_is_back(self, full: Control, store: Store) -> None:
        await full.set_weight(20, "a", "first")
        await full.set_weight(10, "a", "second")
        for _ in range(5):
            await full.tick()
        assert full.status().store.persisted is False
        await store._connection.execute("PRAGMA query_only = OFF")
        for _ in range(5):
            await full.tick()
        assert full.status().store.persisted is True
        assert (await store.load()).weight == 1000
        assert [row.reason for row in await full.audit(3)] == ["second", "first", "r"]
        assert full.status().store.state == "ok"
        assert (await full.verify()).intact

    async def test_closing_tries_once_more(self, full: Control, store: Store) -> None:
        await full.set_weight(0, "a", "r")
        await store._connection.execute("PRAGMA query_only = OFF")
        await full.close()
        assert (await store.load()).weight == 0

    async def test_failed_sign_ins_do_not_pile_up(self, full: Control, store: Store) -> None:
        await full.record_denied("10.0.0.9", 1)
        await full.record_denied("10.0.0.9", 1)
        await store._connection.execute("PRAGMA query_only = OFF")
        await full.record_denied("10.0.0.9", 7)
        assert [row.action for row in await full.audit(9)] == ["weight"]


async def test_a_lowered_weight_survives_a_killed_supervisor(
    control: Control, table: Table, store: Store, settings: Settings
) -> None:
    await control.set_weight(50, "a", "r")
    await store._connection.execute("PRAGMA query_only = ON")
    await control.set_weight(0, "a", "rollback")
    await store._connection.execute("PRAGMA query_only = OFF")
    successor = Control(settings, table, store)
    await successor.open()
    assert (successor.percent, _routing(table).weight, successor.persisted) == (0, 0, False)
    await successor.close()
    assert (await store.load()).weight == 0
    assert (await successor.audit(1))[0].actor == "router"


async def test_denied_is_on_record(control: Control) -> None:
    await control.record_denied("10.0.0.9", 3)
    (row,) = await control.audit(1)
    assert (row.actor, row.action, row.after, row.outcome) == ("10.0.0.9", "denied", '{"attempts":3}', "refused")


async def test_status_tells_what_was_counted(control: Control, table: Table, clock: FakeClock) -> None:
    gone = WorkerInfo(pid=2**22, slot=0, block=0, state="serving", started_at=clock.monotonic() - 5)
    control.workers = lambda: [gone]
    await control.set_weight(25, "a", "r")
    counters = Counters(table.block(0))
    table.block(0).cells[PID] = 4711
    for _ in range(3):
        counters.observe(STABLE, IDENTITY, b"GET", 200, "/", 10_000)
    counters.observe(CANARY, NEW, b"GET", 500, "/", 200_000)
    counters.error(CANARY, "reset")
    counters.gauge(ACTIVE + CANARY, 1)
    counters.clear_minute(control.minute())
    counters.session(CANARY, control.minute(), 7)
    table.set_up(CANARY, [False])
    clock.advance(2)
    await control.tick()
    status = control.status()
    stable, canary = status.arms.stable, status.arms.canary
    assert (status.percent, status.intended_share, status.observed_share, status.revision) == (25, 0.25, 0.25, 2)
    assert (status.uptime, status.salt) == (2, fingerprint(_routing(table).salt))
    assert (stable.requests, stable.rps, stable.codes["2xx"], stable.errors) == (3, 1.5, 3, {})
    assert (canary.requests, canary.codes["5xx"], canary.errors, canary.active) == (1, 1, {"reset": 1}, 1)
    assert canary.sessions == 1
    assert canary.latency.total == canary.latency.minute
    assert canary.latency.total.p50 == pytest.approx(0.2, rel=0.03)
    assert [(endpoint.url, endpoint.up) for endpoint in canary.endpoints] == [(CANARY_URL, False)]
    assert [(worker.uptime, worker.rss) for worker in status.workers] == [(7, None)]
    clock.advance(120)
    await control.tick()
    quiet = control.status()
    assert (quiet.observed_share, quiet.arms.stable.rps, quiet.arms.stable.latency.minute.p50) == (None, 0, None)
    assert quiet.arms.stable.requests == 3


def test_a_fingerprint_does_not_give_the_salt_away() -> None:
    assert fingerprint(1) != fingerprint(2)
    assert len(fingerprint(2**64 - 1)) == 12


@pytest.mark.parametrize(
    ("revision", "percent"), [(99, 5), (1, 20)], ids=["lowered, not saved", "killed before it was published"]
)
async def test_what_the_workers_have_counts_when_it_is_newer(
    settings: Settings, table: Table, store: Store, clock: FakeClock, control: Control, revision: int, percent: float
) -> None:
    await control.set_weight(20, "operator", "up")
    table.publish(replace(_routing(table), weight=500, revision=revision))
    taken_over = Control(settings, table, store, clock)
    await taken_over.open()
    assert taken_over.percent == percent
    assert (_routing(table).weight, _routing(table).revision) == (percent * 100, taken_over.revision)

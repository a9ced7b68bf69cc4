"""The rollout's only I/O: reads the counters ten times a second, asks the pure modules, and carries out the verdict.

    rollouts = Rollouts(control, store, clock)
    await rollouts.open()                                  # goes on where a killed supervisor was
    task = asyncio.create_task(rollouts.run())
    await rollouts.start(plan, actor, reason)
    await rollouts.command("pause", actor, reason)

A decision is on disk, with its evidence and its audit row, before the weight changes. Progress is saved every second,
so a crash costs at most that second. Without a disk the plan holds where it is, and rollback works from memory.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

import orjson
from loguru import logger
from pydantic import ValidationError

from .. import feed
from ..audit import Entry
from ..clock import Clock, SystemClock, iso
from ..control import Change, Control, Decided
from ..counters import SeriesKey
from ..errors import RefusedError, StoreError
from ..store import Store, Write
from ..table import ARMS, CANARY, STABLE
from . import machine
from .counting import arms, by_route, difference
from .evidence import Interval, Reading
from .gates import Judge
from .machine import LIVE, Action, CommandError, Outcome, State, current
from .plan import Plan
from .records import Evidence, Explanation, explain, load_state

#: Seconds between looks at the counters, and between saves of the progress.
TICK, SAVE = 0.1, 1.0
#: A look that comes later than this (the process was stopped) counts as this long: nobody watched the rest.
LONGEST = 2.0
#: How long a passed drill is good for.
DRILL_SECONDS = 86400.0
#: Kinds of upstream errors that are a failed connect.
_CONNECT = ("refused", "connect_timeout", "tls")
#: Commands that leave the weight as it is, and decisions that take effect though the disk is out of order.
_WEIGHT_STAYS = frozenset(("pause", "abort"))
_FORWARD = frozenset(("start", "advance", "promote"))
_UNSAVED = frozenset(("pause", "abort", "rollback", "quarantine"))


@dataclass(slots=True)
class Rollout:
    """One run of a plan, in memory; `snapshot` is the judge before the intervals `since`."""

    id: int
    plan: Plan
    state: State
    judge: Judge
    started: str
    snapshot: dict[str, Any]
    since: list[Interval]
    missing: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()

    @property
    def live(self) -> bool:
        return self.state.phase in LIVE


class Rollouts:
    """The rollout that runs, or ran last; one at a time."""

    def __init__(self, control: Control, store: Store, clock: Clock | None = None) -> None:
        self._control = control
        self._store = store
        self._clock = clock or SystemClock()
        self._turn = asyncio.Lock()
        self._counted: dict[SeriesKey, int] = {}
        self._refused = 0
        self._looked = self._saved = self._clock.monotonic()
        self._decisions = 0
        self._drilled = -inf  # epoch seconds of the latest drill that was passed
        self._users_seen = (0.0, 0.0)
        self._users_at = -1.0
        self.current: Rollout | None = None
        #: Every decision, once it is in force.
        self.feed = feed.Feed()
        #: Rollbacks ever, by the gate that decided, or "operator".
        self.rollbacks: Counter[str] = Counter()
        #: Seconds from reading the counters to the workers' having the new weight, for the latest decision.
        self.decision_lag: float | None = None

    async def open(self) -> None:
        """Take up the latest rollout where it was saved last."""
        for row in await self._store.select("rollbacks"):
            self.rollbacks[row["reason"]] = row["count"]
        (head,) = await self._store.select("decision_head")
        self._decisions = head["id"]
        for row in await self._store.select("drill_passed"):
            self._drilled = row["time"]
        for row in await self._store.select("rollout_latest"):
            try:
                plan = Plan.model_validate_json(row["plan"])
            except ValidationError as error:
                raise StoreError(
                    f"state file {self._store.path}: rollout {row['id']} can't be read by this version: {error}"
                ) from None
            state = load_state({**row, "quarantined": orjson.loads(row["quarantined"])})
            judge = orjson.loads(row["judge"])
            self.current = Rollout(row["id"], plan, state, Judge(plan, judge), row["started"], judge, [])
        self._begin_interval()
        found = self.current
        if found is not None and found.live and self._control.percent < current(found.plan, found.state).percent:
            words = f"the weight was found at {self._control.percent:g} %, below the plan's; look into it, then resume"
            if found.state.phase == "running":
                await self._carry_out(machine.command(found.plan, found.state, "pause", words), "router", None)

    async def start(self, plan: Plan, actor: str, reason: str, if_match: int | None = None) -> Rollout:
        """Begin a plan with its first step.

        Raises:
            RefusedError: another one is live, there is no canary, a gate's route is unknown, or somebody changed the
                state since `if_match`.
            StoreError: it can't be saved.
        """
        async with self._turn:
            self._control.expect(if_match)
            if self.current is not None and self.current.live:
                raise RefusedError("a rollout is live; roll it back or abort it first", 409, "live")
            self._control.require_canary()
            _check_routes(plan, {route.label for route in self._control.routes})
            before, number = self.current, self.current.id + 1 if self.current else 1
            judge = Judge(plan)
            self.current = Rollout(number, plan, State(), judge, self._now(), judge.dump(), [])
            self._begin_interval()
            try:
                salt = None if plan.keep_cohorts else secrets.randbits(64)
                await self._carry_out(machine.start(plan, reason), actor, None, salt)
            except (StoreError, RefusedError):
                self.current = before
                raise
            return self.current

    async def command(self, action: Action, actor: str, reason: str, if_match: int | None = None) -> Rollout:
        """Carry out an operator's command.

        Raises:
            RefusedError: it doesn't fit, or somebody changed the state since `if_match`.
            StoreError: it can't be saved (pausing, aborting and rolling back work without).
        """
        async with self._turn:
            self._control.expect(if_match)
            found = self.current
            if found is None:
                raise RefusedError("there is no rollout; start one", 409, "no_rollout")
            try:
                outcome = machine.command(found.plan, found.state, action, reason)
            except CommandError as error:
                raise RefusedError(str(error), 409, "unfit") from None
            await self._carry_out(outcome, actor, None)
            return found

    async def set_weight(self, percent: float, actor: str, reason: str, if_match: int | None = None) -> Change:
        """Set the weight by hand; a running plan pauses first, so that it doesn't set another one."""
        async with self._turn:
            found = self.current
            if found is not None and found.state.phase == "running":
                self._control.expect(if_match)
                if_match = None
                outcome = machine.command(found.plan, found.state, "pause", f"weight set by hand: {reason}")
                await self._carry_out(outcome, actor, None)
            return await self._control.set_weight(percent, actor, reason, if_match)

    async def record_drill(self, ok: bool, results: list[dict[str, Any]], actor: str, reason: str) -> None:
        """Put a drill on record.

        Raises:
            StoreError: it can't be saved.
        """
        now = self._clock.time()
        row = {"time": now, "actor": actor, "passed": int(ok), "results": orjson.dumps(results).decode()}
        await self._control.record(actor, "drill", reason, {"passed": ok}, [Write("drill_add", row)])
        if ok:
            self._drilled = now

    async def decisions(self, limit: int, before: int) -> list[dict[str, Any]]:
        """The newest decisions older than decision `before`, without their evidence."""
        return await self._store.select("decisions_page", limit=limit, before=before)

    async def explain(self, number: int) -> tuple[dict[str, Any], Explanation]:
        """One decision, and what comes out when it is made again from its evidence.

        Raises:
            RefusedError: there is no such decision.
        """
        for row in await self._store.select("decision_one", id=number):
            plan = Plan.model_validate_json(row.pop("plan"))
            evidence = row.pop("evidence")
            loaded = None if evidence == "null" else Evidence.load(evidence)
            return row, explain(plan, loaded, row["action"], row["words"])
        raise RefusedError(f"there is no decision {number}", 404, "not_found")

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.tick()
            except Exception:
                logger.exception("the rollout's tick failed; the next one follows")

    async def tick(self) -> None:
        """Look at what happened since the last time, and act on it."""
        async with self._turn:
            found = self.current
            if found is None or not found.live:
                return
            began = self._clock.monotonic()
            interval = self._interval(found.plan)
            found.judge.update(interval)
            found.since.append(interval)
            found.readings = tuple(found.judge.readings(current(found.plan, found.state)))
            outcome = machine.tick(found.plan, found.state, interval.seconds, interval.canary.trials, found.readings)
            found.missing = outcome.missing
            if outcome.decision is None:
                found.state = outcome.state
                if began - self._saved >= SAVE:
                    row = self._row(found, found.state, found.judge)
                    self._snapshot(found, row)
                    await self._control.note([Write("rollout_save", row)])
                return
            evidence = Evidence(found.state, found.snapshot, tuple(found.since))
            try:
                await self._carry_out(outcome, "router", evidence)
            except (StoreError, RefusedError) as error:
                found.missing = (f"the step is over, but the next one can't begin: {error}",)
                passed = replace(found.state, elapsed=found.state.elapsed + interval.seconds)
                found.state = replace(passed, samples=passed.samples + interval.canary.trials)
                if began - self._saved >= SAVE:  # evidence must not grow for as long as the disk is full
                    self._snapshot(found, self._row(found, found.state, found.judge))
                return
            self.decision_lag = self._clock.monotonic() - began

    async def _carry_out(
        self, outcome: Outcome, actor: str, evidence: Evidence | None, salt: int | None = None
    ) -> None:
        """Save a decision, then let the workers have its weight."""
        found, decision = self.current, outcome.decision
        assert found is not None
        assert decision is not None
        if decision.action in _FORWARD and decision.percent > 0 and self._control.percent == 0:
            self._require_drill(found.plan)
        before, after = current(found.plan, found.state), current(found.plan, outcome.state)
        judge = Judge(found.plan, found.judge.dump()) if outcome.state.step != found.state.step else found.judge
        if judge is not found.judge:
            judge.begin_step()
        entry = Entry(
            self._clock.time(),
            actor,
            f"rollout.{decision.action}",
            decision.words,
            {"percent": self._control.percent, "step": before.name},
            {"percent": decision.percent, "step": after.name, "phase": outcome.state.phase},
        )
        row = self._row(found, outcome.state, judge)
        said = feed.Decided(
            self._decisions + 1,
            found.id,
            self._now(),
            actor,
            decision.action,
            before.name,
            decision.percent,
            decision.gate,
            decision.words,
        )
        await self._control.decide(
            Decided(
                self._control.percent if decision.action in _WEIGHT_STAYS else decision.percent,
                entry,
                (Write("rollout_save", row), _decision_row(said, evidence)),
                decision.action not in _UNSAVED,
                salt,
                outcome.state.quarantined[len(found.state.quarantined) :],
            )
        )
        self._decisions += 1
        if decision.action == "rollback":
            self.rollbacks[decision.gate or "operator"] += 1
        found.state, found.judge = outcome.state, judge
        self._snapshot(found, row)
        self.feed.say(said)

    def _require_drill(self, plan: Plan) -> None:
        """Refuse to leave 0 % if the plan wants a drill and there is none that is recent."""
        if plan.require_drill and self._clock.time() - self._drilled > DRILL_SECONDS:
            raise RefusedError(
                "the plan wants a rollback drill that was passed in the last 24 h; run: cutover drill --why TEXT",
                409,
                "no_drill",
            )

    def _snapshot(self, found: Rollout, row: dict[str, Any]) -> None:
        """Evidence begins here."""
        found.snapshot, found.since = orjson.loads(row["judge"]), []
        self._saved = self._clock.monotonic()

    def _row(self, found: Rollout, state: State, judge: Judge) -> dict[str, Any]:
        return {
            "id": found.id,
            "plan": found.plan.model_dump_json(by_alias=True),
            "digest": found.plan.digest,
            "phase": state.phase,
            "step": state.step,
            "elapsed": state.elapsed,
            "samples": state.samples,
            "quarantined": orjson.dumps(state.quarantined).decode(),
            "judge": orjson.dumps(judge.dump(), option=orjson.OPT_NON_STR_KEYS).decode(),
            "started": found.started,
            "saved": self._now(),
        }

    def _interval(self, plan: Plan) -> Interval:
        """What happened since the last call."""
        now = self._clock.monotonic()
        seconds, self._looked = min(now - self._looked, LONGEST), now
        totals, table = self._control.totals, self._control.table
        series = totals.series(waits=True)
        new = difference(self._counted, series)
        self._counted = series
        refused = self._connects_failed()
        new_refused, self._refused = refused - self._refused, refused
        stable, canary = arms(new)
        return Interval(
            seconds,
            stable,
            canary,
            by_route(new, {gate.route for gate in plan.gates if gate.route}),
            endpoints_up=table.up_count(CANARY),
            refused=new_refused,
            users=self._users(now),
            intended=self._control.percent / 100,
        )

    def _users(self, now: float) -> tuple[float, float]:
        """Active users of both arms. Counting them takes milliseconds, so it is done once a second."""
        if now - self._users_at >= 1.0:
            totals, minute = self._control.totals, self._control.minute()
            self._users_seen = totals.sessions(STABLE, minute), totals.sessions(CANARY, minute)
            self._users_at = now
        return self._users_seen

    def _begin_interval(self) -> None:
        """Forget what was counted before."""
        self._counted = self._control.totals.series(waits=True)
        self._refused = self._connects_failed()
        self._looked = self._clock.monotonic()

    def _connects_failed(self) -> int:
        errors = self._control.totals.errors()
        return sum(errors[ARMS[CANARY], kind] for kind in _CONNECT)

    def _now(self) -> str:
        return iso(self._clock.time())


def _check_routes(plan: Plan, known: set[str]) -> None:
    """A gate of a route that nobody has would never see a request."""
    for number, gate in enumerate(plan.gates):
        if gate.route is not None and gate.route not in known:
            problem = f"there is no route {gate.route!r}; GET /api/v1/routes lists what there is"
            raise RefusedError(
                f"gate {gate.label!r}: {problem}", 422, "invalid", {f"plan.gate.{number}.route": problem}
            )


def _decision_row(said: feed.Decided, evidence: Evidence | None) -> Write:
    return Write("decision_add", asdict(said) | {"evidence": evidence.dump() if evidence else "null"})

"""The state machine: every phase with every command, and what makes a step pass, hold or fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from router.rollout.evidence import Reading, Verdict
from router.rollout.machine import (
    LIVE,
    Action,
    CommandError,
    Phase,
    State,
    command,
    current,
    remaining,
    start,
    tick,
)
from router.rollout.plan import Plan

PLAN = Plan.model_validate(
    {
        "step": [
            {"name": "canary", "percent": 10, "hold": 100, "min_samples": 50, "mirror": 20},
            {"name": "all", "percent": 100},
        ],
        "watch": {"for": 1000},
        "max_quarantined": 1,
    }
)
ALL = len(PLAN.steps) - 1


def reading(verdict: Verdict = "pass", mode: Any = "decide", route: str | None = None, gate: str = "g") -> Reading:
    return Reading(gate, mode, verdict, "3 of 5 failed", route=route)


def after(seconds: float = 100, samples: int = 50, *readings: Reading, state: State | None = None) -> Any:
    return tick(PLAN, state or State(), seconds, samples, readings)


def test_it_starts_with_the_first_step() -> None:
    outcome = start(PLAN, "go")
    assert outcome.state == State()
    assert outcome.decision is not None
    assert (outcome.decision.percent, outcome.decision.mirror) == (10, 20)


def test_time_samples_and_gates_pass_a_step() -> None:
    outcome = after(100, 50, reading())
    assert outcome.state == State(step=1)
    assert (outcome.decision.action, outcome.decision.percent, outcome.decision.mirror) == ("advance", 100, 0)


@pytest.mark.parametrize(
    ("seconds", "samples", "readings", "missing"),
    [
        (99, 50, (), "1s of 1m 40s are left"),
        (100, 49, (), "1 of 50 canary requests are left"),
        (100, 50, (reading("hold"),), "gate g: 3 of 5 failed"),
    ],
)
def test_each_missing_part_holds(seconds: float, samples: int, readings: tuple[Reading, ...], missing: str) -> None:
    outcome = after(seconds, samples, *readings)
    assert outcome.decision is None
    assert outcome.state == State(elapsed=seconds, samples=samples)
    assert outcome.missing == (missing,)


def test_no_data_holds_for_ever() -> None:
    state = State()
    for _ in range(1000):
        outcome = tick(PLAN, state, 3600, 0, [reading("hold")])
        assert outcome.decision is None
        state = outcome.state
    assert state.phase == "running"
    assert state.elapsed == 3600 * 1000


def test_accept_inconclusive_goes_on_without_a_gate() -> None:
    plan = PLAN.model_copy(update={"accept_inconclusive": True})
    assert tick(plan, State(), 100, 50, [reading("hold")]).state.step == 1
    assert tick(plan, State(), 100, 50, [reading("fail")]).state.phase == "rolled_back"


@pytest.mark.parametrize("mode", ["decide", "critical"])
def test_a_failed_gate_rolls_back_at_once(mode: str) -> None:
    outcome = after(0.1, 1, reading(), reading("fail", mode, gate="errors"))
    assert outcome.state.phase == "rolled_back"
    assert outcome.decision.percent == outcome.decision.mirror == 0
    assert outcome.decision.gate == "errors"
    assert "3 of 5 failed" in outcome.decision.words


def test_an_observing_gate_never_decides() -> None:
    assert after(1, 1, reading("fail", "observe")).state.phase == "running"
    assert after(100, 50, reading("fail", "observe"), reading("hold", "observe")).state.step == 1


@pytest.mark.parametrize(("mode", "phase"), [("decide", "paused"), ("critical", "rolled_back"), ("observe", "paused")])
def test_while_paused_only_critical_gates_roll_back(mode: str, phase: str) -> None:
    assert after(1, 1, reading("fail", mode), state=State("paused")).state.phase == phase


def test_a_paused_plan_does_not_advance_and_its_clock_stands() -> None:
    outcome = after(1000, 500, reading(), state=State("paused", elapsed=5, samples=6))
    assert (outcome.state.elapsed, outcome.state.samples) == (5, 6)
    assert outcome.state.step == 0
    assert outcome.missing == ("an operator paused the plan",)


def test_a_route_is_quarantined_and_one_too_many_rolls_back() -> None:
    outcome = after(1, 1, reading("fail", route="/a"))
    assert outcome.state.quarantined == ("/a",)
    assert outcome.decision.action == "quarantine"
    again = after(1, 1, reading("fail", route="/a"), state=outcome.state)
    assert again.decision is None
    assert after(200, 500, reading("fail", route="/a"), state=outcome.state).state.step == 1
    assert after(1, 1, reading("fail", route="/b"), state=outcome.state).state.phase == "rolled_back"


def test_a_critical_gate_of_a_route_rolls_back() -> None:
    assert after(1, 1, reading("fail", "critical", route="/a")).state.phase == "rolled_back"


def test_the_watch_follows_the_last_step_with_rollback_armed() -> None:
    watching = after(0, 0, state=State(step=ALL)).state
    assert current(PLAN, watching).name == "watch"
    assert current(PLAN, watching).percent == 100
    assert after(999, 0, state=watching).decision is None
    assert after(999, 0, reading("fail"), state=watching).state.phase == "rolled_back"
    done = after(1000, 0, reading(), state=watching)
    assert done.state.phase == "completed"
    assert done.decision.percent == 100


def test_without_a_watch_the_last_step_completes() -> None:
    plan = Plan.model_validate({"step": [{"name": "all", "percent": 100}], "watch": {"for": 0}})
    assert tick(plan, State(), 0, 0, []).state.phase == "completed"


COMMANDS: tuple[Action, ...] = ("pause", "resume", "promote", "rollback", "abort")
FITS = {
    ("running", "pause"): "paused",
    ("running", "promote"): "running",
    ("running", "rollback"): "rolled_back",
    ("running", "abort"): "aborted",
    ("paused", "resume"): "running",
    ("paused", "promote"): "running",
    ("paused", "rollback"): "rolled_back",
    ("paused", "abort"): "aborted",
}


@pytest.mark.parametrize("action", COMMANDS)
@pytest.mark.parametrize("phase", get_args(Phase))
def test_every_command_in_every_phase(phase: Phase, action: Action) -> None:
    state = State(phase, elapsed=5, samples=3)
    if (phase, action) not in FITS:
        with pytest.raises(CommandError):
            command(PLAN, state, action, "why")
        return
    outcome = command(PLAN, state, action, "why")
    assert outcome.state.phase == FITS[phase, action]
    assert outcome.decision is not None
    assert "why" in outcome.decision.words
    if action in ("pause", "resume", "abort"):
        assert outcome.decision.percent == 10
        assert replace(outcome.state, phase=phase) == state


@pytest.mark.parametrize("phase", sorted(set(get_args(Phase)) - LIVE))
def test_an_ended_rollout_does_nothing_by_itself(phase: Phase) -> None:
    state = State(phase)
    outcome = tick(PLAN, state, 1e9, 10**9, [reading(), reading("fail", "critical")])
    assert outcome.state == state
    assert outcome.decision is None


def test_promote_skips_the_hold_and_ends_the_watch() -> None:
    outcome = command(PLAN, State(elapsed=1), "promote", "urgent")
    assert outcome.state == State(step=1)
    assert "urgent" in outcome.decision.words  # type: ignore[union-attr]
    assert command(PLAN, State(step=ALL + 1), "promote", "enough").state.phase == "completed"


@pytest.mark.parametrize(
    ("state", "per_second", "seconds"),
    [
        (State(elapsed=40, samples=50), 0.0, 60),
        (State(elapsed=40, samples=20), 0.1, 300),
        (State(elapsed=40, samples=20), 0.0, None),
        (State(elapsed=400, samples=90), 0.0, 0),
    ],
)
def test_how_long_it_will_take(state: State, per_second: float, seconds: float | None) -> None:
    found = remaining(PLAN, state, per_second)
    assert found == (None if seconds is None else pytest.approx(seconds))

"""The rollout's state machine: readings, time and operators' commands in, the next state and what to do out.

Pure: nothing here reads a clock, a counter or a store. `tick` and `command` return the state to save before anything
is done about it; a decision is saved with what it was based on, so that it can be explained later.

    shadow ─► canary ─► half ─► all ─► watch ─► completed        (pass: time, samples and every gate)
       └────────┴────────┴──────┴───────┴─────► rolled_back      (fail: weight 0 in the same tick)
    running ◄─► paused (the clock stops; critical gates still roll back)      abort: the plan ends, the weight stays
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .evidence import Reading
from .plan import Plan, Step

Phase = Literal["running", "paused", "completed", "rolled_back", "aborted"]
Action = Literal["start", "pause", "resume", "promote", "rollback", "abort", "advance", "quarantine", "complete"]
#: Phases in which a plan is at work.
LIVE: frozenset[Phase] = frozenset(("running", "paused"))


@dataclass(frozen=True, slots=True)
class State:
    """Where a rollout is. `step` counts from 0; beyond the last step it is the watch.

    `elapsed` is seconds of serving in this step while it ran, `samples` the canary's requests in it.
    """

    phase: Phase = "running"
    step: int = 0
    elapsed: float = 0.0
    samples: int = 0
    quarantined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What changes, and why in words; `percent` and `mirror` are what is in force from now on."""

    action: Action
    words: str
    percent: float
    mirror: float
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a tick or a command, what was decided (None: nothing changed), and what is still missing."""

    state: State
    decision: Decision | None = None
    missing: tuple[str, ...] = ()


class CommandError(Exception):
    """A command that doesn't fit the state; the text says why, for people."""


def current(plan: Plan, state: State) -> Step:
    """The step in force; the watch goes on with the last step's weight."""
    if state.step < len(plan.steps):
        return plan.steps[state.step]
    return plan.steps[-1].model_copy(update={"name": "watch", "hold": plan.watch.duration, "min_samples": 0})


def start(plan: Plan, words: str) -> Outcome:
    """A rollout begins with its first step."""
    first = plan.steps[0]
    return Outcome(State(), Decision("start", words, first.percent, first.mirror))


def tick(plan: Plan, state: State, seconds: float, samples: int, readings: Sequence[Reading]) -> Outcome:
    """`seconds` of serving and `samples` canary requests later: roll back, go on, or hold and say what is missing."""
    if state.phase not in LIVE:
        return Outcome(state)
    if state.phase == "running":  # while paused the weight may be any, and not every gate watches
        state = replace(state, elapsed=state.elapsed + seconds, samples=state.samples + samples)
    if failed := _failed(state, readings):
        return _roll_back(state, failed.words, failed.gate)
    state, quarantine = _quarantine(plan, state, readings)
    if len(state.quarantined) > plan.max_quarantined:
        routes = ", ".join(state.quarantined)
        return _roll_back(state, f"{len(state.quarantined)} routes are worse on the canary: {routes}", None)
    if state.phase == "paused":
        return Outcome(state, quarantine, ("an operator paused the plan",))
    if missing := _missing(plan, state, readings):
        return Outcome(state, quarantine, missing)
    return _advance(plan, state, "time, samples and every gate are there")


def command(plan: Plan, state: State, action: Action, reason: str) -> Outcome:
    """An operator's command.

    Raises:
        CommandError: it doesn't fit the state.
    """
    if state.phase not in LIVE:
        raise CommandError(f"the rollout is {state.phase.replace('_', ' ')}; start a new one")
    step = current(plan, state)
    if action == "pause":
        if state.phase == "paused":
            raise CommandError("the rollout is paused already")
        return Outcome(replace(state, phase="paused"), Decision("pause", reason, step.percent, step.mirror))
    if action == "resume":
        if state.phase == "running":
            raise CommandError("the rollout is running already")
        return Outcome(replace(state, phase="running"), Decision("resume", reason, step.percent, step.mirror))
    if action == "promote":
        return _advance(plan, replace(state, phase="running"), f"promoted by an operator: {reason}", "promote")
    if action == "rollback":
        return _roll_back(state, f"rolled back by an operator: {reason}", None)
    if action == "abort":
        return Outcome(replace(state, phase="aborted"), Decision("abort", reason, step.percent, 0.0))
    raise CommandError(f"{action} is not an operator's command")


def remaining(plan: Plan, state: State, per_second: float) -> float | None:
    """Seconds until time and samples are there at `per_second` canary requests; None if never at this traffic."""
    step = current(plan, state)
    wait = max(0.0, step.hold - state.elapsed)
    lacking = step.min_samples - state.samples
    if lacking <= 0:
        return wait
    return max(wait, lacking / per_second) if per_second > 0 else None


def _failed(state: State, readings: Sequence[Reading]) -> Reading | None:
    """The first gate that rolls the rollout back now."""
    for reading in readings:
        if reading.verdict != "fail" or reading.mode == "observe":
            continue
        if reading.mode == "critical" or (state.phase == "running" and reading.route is None):
            return reading
    return None


def _quarantine(plan: Plan, state: State, readings: Sequence[Reading]) -> tuple[State, Decision | None]:
    """Routes whose own gate failed go to stable, and the step goes on without them."""
    new = [
        reading
        for reading in readings
        if reading.verdict == "fail"
        and reading.mode == "decide"
        and reading.route
        and state.phase == "running"
        and reading.route not in state.quarantined
    ]
    if not new:
        return state, None
    step = current(plan, state)
    routes = tuple(reading.route for reading in new if reading.route)
    words = "; ".join(f"{reading.route} stays on stable: {reading.words}" for reading in new)
    decision = Decision("quarantine", words, step.percent, step.mirror, new[0].gate)
    return replace(state, quarantined=(*state.quarantined, *routes)), decision


def _missing(plan: Plan, state: State, readings: Sequence[Reading]) -> tuple[str, ...]:
    """Everything that keeps the step from being passed, in words."""
    step = current(plan, state)
    missing = []
    if state.elapsed < step.hold:
        missing.append(f"{_duration(step.hold - state.elapsed)} of {_duration(step.hold)} are left")
    if state.samples < step.min_samples:
        missing.append(f"{step.min_samples - state.samples:,} of {step.min_samples:,} canary requests are left")
    for reading in readings:
        if reading.mode == "observe" or reading.verdict == "pass" or reading.route in state.quarantined:
            continue
        if plan.accept_inconclusive and reading.verdict == "hold":
            continue
        missing.append(f"gate {reading.gate}: {reading.words}")
    return tuple(missing)


def _advance(plan: Plan, state: State, words: str, action: Action = "advance") -> Outcome:
    after = State(step=state.step + 1, quarantined=state.quarantined)
    if state.step >= len(plan.steps) or (state.step == len(plan.steps) - 1 and plan.watch.duration == 0):
        step = current(plan, state)
        done = replace(state, phase="completed")
        return Outcome(done, Decision("complete", words, step.percent, 0.0))
    step = current(plan, after)
    return Outcome(after, Decision(action, f"{words}; on to {step.name}", step.percent, step.mirror))


def _roll_back(state: State, words: str, gate: str | None) -> Outcome:
    return Outcome(replace(state, phase="rolled_back"), Decision("rollback", words, 0.0, 0.0, gate))


_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def _duration(seconds: float) -> str:
    """The two largest units: 1d 3h, 5m 20s, 0s."""
    left = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts) or "0s"

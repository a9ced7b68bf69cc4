"""All gates of a plan together: fed with intervals, asked for readings, saved and restored as plain data.

The judge decides nothing: what follows from its readings is machine.py's. Given the same plan, saved state and
interval it gives the same readings, bit for bit; that is how a decision is explained later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .evidence import Arm, Interval, Reading, Verdict
from .latency import LatencyGate
from .plan import (
    CONNECT,
    ClientErrors,
    Errors,
    Gate,
    Health,
    Latency,
    Mismatch,
    Plan,
    Promql,
    SampleRatio,
    SessionLoss,
    Step,
)
from .shares import ShareState, ShareTest, Tally, idle


class GateState(Protocol):
    """One gate of a running rollout."""

    @property
    def gate(self) -> Gate: ...

    def begin_step(self) -> None: ...

    def update(self, interval: Interval) -> None: ...

    def reading(self, step: Step) -> Reading: ...

    def dump(self) -> dict[str, Any]:
        """Everything that `update` changes, as JSON."""


class Judge:
    """The gates of a running rollout; `saved` is what `dump` gave."""

    def __init__(self, plan: Plan, saved: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.plan = plan
        steps = len(plan.steps) + 1  # the watch is one, too
        budget = _budgets(plan)
        saved = saved or {}
        self._gates = [_running(gate, budget[gate.label], steps, saved.get(gate.label)) for gate in plan.gates]
        self._gates.append(ConnectGate(plan.connect_failures, saved.get(CONNECT)))

    def begin_step(self) -> None:
        for gate in self._gates:
            gate.begin_step()

    def update(self, interval: Interval) -> None:
        for gate in self._gates:
            gate.update(interval)

    def readings(self, step: Step) -> list[Reading]:
        return [gate.reading(step) for gate in self._gates]

    def dump(self) -> dict[str, dict[str, Any]]:
        return {gate.gate.label: gate.dump() for gate in self._gates}


def _budgets(plan: Plan) -> dict[str, float]:
    """Gate → its part of the plan's alpha. Gates that only observe get as much as one that decides, for show."""
    tested = [gate for gate in plan.gates if isinstance(gate, Errors | Latency | ClientErrors | SessionLoss | Mismatch)]
    sharing = [gate for gate in tested if gate.alpha is None and gate.mode != "observe"]
    left = plan.alpha - sum(gate.alpha or 0.0 for gate in tested if gate.mode != "observe")
    equal = left / max(1, len(sharing))
    return {gate.label: gate.alpha or equal for gate in plan.gates}


def _running(gate: Gate, alpha: float, steps: int, saved: dict[str, Any] | None) -> GateState:
    if isinstance(gate, Latency):
        return LatencyGate(gate, alpha, steps, saved)
    if isinstance(gate, Health):
        return HealthGate(gate, saved)
    if isinstance(gate, SampleRatio):
        return SampleRatioGate(gate, saved)
    if isinstance(gate, Promql):
        return PromqlGate(gate, saved)
    return ShareGate(gate, alpha, steps, saved)


#: What is bad, and how to say it.
_BAD: dict[type, tuple[str, Callable[[Arm], int]]] = {
    Errors: ("failed", lambda arm: arm.failed),
    ClientErrors: ("were refused with 4xx", lambda arm: arm.client_errors),
    SessionLoss: ("found the user signed out", lambda arm: arm.unauthorized),
}


class ShareGate:
    """Failed, refused, signed out, or answered differently: a share of requests."""

    def __init__(
        self, gate: Errors | ClientErrors | SessionLoss | Mismatch, alpha: float, steps: int, saved: Any = None
    ) -> None:
        self.gate = gate
        self._count: Callable[[Arm], int] | None = None
        what = "got another answer than from stable"
        if not isinstance(gate, Mismatch):
            what, self._count = _BAD[type(gate)]
        state = ShareState.load(saved) if saved else None
        self._test = ShareTest(gate.max, gate.relative, gate.margin, alpha, steps, what, state)

    def begin_step(self) -> None:
        self._test.begin_step()

    def update(self, interval: Interval) -> None:
        if self._count is None:
            self._test.update(Tally(interval.compared, interval.mismatched))
            return
        stable, canary = interval.arms(self.gate.route)
        self._test.update(Tally(canary.trials, self._count(canary), stable.trials, self._count(stable)))

    def reading(self, step: Step) -> Reading:
        verdict, words = self._test.verdict()
        seen = self._test.state.step
        if verdict == "hold" and (idle := self._idle(step)):
            verdict, words = "pass", idle
        return Reading(
            self.gate.label,
            self.gate.mode,
            verdict,
            words,
            value=seen.canary_bad / seen.canary if seen.canary else None,
            bound=self.gate.max,
            baseline=seen.stable_bad / seen.stable if seen.stable else None,
            trials=seen.canary,
            evidence=self._test.evidence,
            threshold=self._test.threshold,
            route=self.gate.route,
        )

    def _idle(self, step: Step) -> str:
        """Why there is nothing to judge in this step, if so."""
        if self._count is None:
            # Workers don't mirror yet; a plan must not wait for ever for what nobody compares.
            compared = self._test.state.step.canary
            return "" if compared else "no answers are compared in this step; cutover verify does that before"
        return idle(step)

    def dump(self) -> dict[str, Any]:
        return self._test.state.dump()


class HealthGate:
    """Whether any endpoint of the canary is up."""

    def __init__(self, gate: Health, saved: dict[str, Any] | None = None) -> None:
        self.gate = gate
        self._up = (saved or {"up": 1})["up"]

    def begin_step(self) -> None:
        pass

    def update(self, interval: Interval) -> None:
        self._up = interval.endpoints_up

    def reading(self, step: Step) -> Reading:
        if self._up:
            words = f"{self._up} endpoints of the canary are up"
            return Reading(self.gate.label, self.gate.mode, "pass", words, float(self._up), 1.0)
        verdict: Verdict = "fail" if step.percent else "hold"
        return Reading(self.gate.label, self.gate.mode, verdict, "no endpoint of the canary is up", 0.0, 1.0)

    def dump(self) -> dict[str, Any]:
        return {"up": self._up}


class ConnectGate:
    """The fast path: so many failed connects in a row, without an answer between, need no statistics."""

    def __init__(self, most: int, saved: dict[str, Any] | None = None) -> None:
        self.gate = Health(name=CONNECT)
        self._most = most
        self._streak = (saved or {"streak": 0})["streak"]

    def begin_step(self) -> None:
        self._streak = 0

    def update(self, interval: Interval) -> None:
        answered = interval.canary.trials > interval.canary.failed
        self._streak = 0 if answered else self._streak + interval.refused

    def reading(self, step: Step) -> Reading:
        words = f"{self._streak} connects to the canary in a row failed, {self._most} are too many"
        failed = self._streak >= self._most
        return Reading(CONNECT, "critical", "fail" if failed else "pass", words, float(self._streak), float(self._most))

    def dump(self) -> dict[str, Any]:
        return {"streak": self._streak}


class SampleRatioGate:
    """Whether the users are dealt as intended. Identities stick, so users are counted here, not requests."""

    def __init__(self, gate: SampleRatio, saved: dict[str, Any] | None = None) -> None:
        self.gate = gate
        saved = saved or {"stable": 0.0, "canary": 0.0, "intended": 0.0}
        self._stable, self._canary, self._intended = saved["stable"], saved["canary"], saved["intended"]

    def begin_step(self) -> None:
        self._stable = self._canary = 0.0

    def update(self, interval: Interval) -> None:
        self._stable, self._canary = interval.users
        self._intended = interval.intended

    def reading(self, step: Step) -> Reading:
        users = self._stable + self._canary
        if users < self.gate.min_users:
            words = f"{users:.0f} active users, {self.gate.min_users} are needed to tell"
            return Reading(self.gate.label, self.gate.mode, "hold", words, bound=self.gate.tolerance)
        share = self._canary / users
        words = f"the canary has {share * 100:.1f} % of the users, {self._intended * 100:.1f} % are intended"
        off = abs(share - self._intended)
        return Reading(
            self.gate.label,
            self.gate.mode,
            "fail" if off > self.gate.tolerance else "pass",
            words,
            value=share,
            bound=self.gate.tolerance,
            baseline=self._intended,
            trials=int(users),
        )

    def dump(self) -> dict[str, Any]:
        return {"stable": self._stable, "canary": self._canary, "intended": self._intended}


class PromqlGate:
    """A query's value inside its bounds. One that can't be asked holds, and never fails."""

    def __init__(self, gate: Promql, saved: dict[str, Any] | None = None) -> None:
        self.gate = gate
        saved = saved or {"value": None, "broken": 0.0}
        self._value, self._broken = saved["value"], saved["broken"]

    def begin_step(self) -> None:
        self._broken = 0.0

    def update(self, interval: Interval) -> None:
        self._value = interval.queries.get(self.gate.label)
        outside = self._value is not None and not self._inside(self._value)
        self._broken = self._broken + interval.seconds if outside else 0.0

    def reading(self, step: Step) -> Reading:
        gate = self.gate
        bound = gate.max if gate.max is not None else gate.min
        if self._value is None:
            return Reading(gate.label, gate.mode, "hold", "Prometheus gave no value for the query", bound=bound)
        words = f"the query gives {self._value:g}"
        if self._inside(self._value):
            return Reading(gate.label, gate.mode, "pass", words, self._value, bound)
        words += f", outside of {_range(gate)} for {self._broken:.0f} s"
        verdict: Verdict = "fail" if self._broken >= gate.persist else "hold"
        return Reading(gate.label, gate.mode, verdict, words, self._value, bound)

    def _inside(self, value: float) -> bool:
        gate = self.gate
        return (gate.max is None or value <= gate.max) and (gate.min is None or value >= gate.min)

    def dump(self) -> dict[str, Any]:
        return {"value": self._value, "broken": self._broken}


def _range(gate: Promql) -> str:
    low = "" if gate.min is None else f"{gate.min:g} "
    high = "" if gate.max is None else f" {gate.max:g}"
    return f"{low}to{high}".strip()

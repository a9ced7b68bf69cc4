"""How a rollout is written down: its row, its decisions with what they were based on, and the way back from both.

Pure. A decision's evidence holds the plan's gates as they were saved last, every interval since, and the state before;
`replay` comes from it to the same outcome, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson

from .evidence import Arm, Interval, Reading
from .gates import Judge
from .machine import Outcome, State, current, tick
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one tick decided on: `judge` as saved, the `intervals` since, and the `state` before the last of them."""

    state: State
    judge: dict[str, Any]
    intervals: tuple[Interval, ...]

    def dump(self) -> str:
        return orjson.dumps(
            {"state": asdict(self.state), "judge": self.judge, "intervals": [_sparse(each) for each in self.intervals]},
            option=orjson.OPT_NON_STR_KEYS,
        ).decode()

    @classmethod
    def load(cls, text: str) -> Evidence:
        raw = orjson.loads(text)
        return cls(load_state(raw["state"]), raw["judge"], tuple(_interval(each) for each in raw["intervals"]))


def replay(plan: Plan, evidence: Evidence) -> tuple[Outcome, list[Reading]]:
    """The outcome of the tick, and what every gate said."""
    judge = Judge(plan, evidence.judge)
    for interval in evidence.intervals:
        judge.update(interval)
    readings = judge.readings(current(plan, evidence.state))
    last = evidence.intervals[-1]
    return tick(plan, evidence.state, last.seconds, last.canary.trials, readings), readings


def load_state(raw: Mapping[str, Any]) -> State:
    return State(raw["phase"], raw["step"], raw["elapsed"], raw["samples"], tuple(raw["quarantined"]))


def _sparse(interval: Interval) -> dict[str, Any]:
    """An interval as JSON, histogram cells without the empty ones.

    Not by `asdict`, which copies every cell: this stands between a verdict and its weight.
    """
    raw = {field.name: getattr(interval, field.name) for field in fields(Interval)}
    routes = {route: [_sparse_arm(arm) for arm in pair] for route, pair in interval.routes.items()}
    return raw | {"stable": _sparse_arm(interval.stable), "canary": _sparse_arm(interval.canary), "routes": routes}


def _sparse_arm(arm: Arm) -> dict[str, Any]:
    raw = {field.name: getattr(arm, field.name) for field in fields(Arm)}
    cells = {str(number): count for number, count in enumerate(arm.cells) if count}
    return raw | {"cells": {"size": len(arm.cells), **cells}}


def _interval(raw: Mapping[str, Any]) -> Interval:
    routes = {route: (_arm(pair[0]), _arm(pair[1])) for route, pair in raw["routes"].items()}
    return Interval(
        **{
            **raw,
            "stable": _arm(raw["stable"]),
            "canary": _arm(raw["canary"]),
            "routes": routes,
            "users": tuple(raw["users"]),
        }
    )


def _arm(raw: Mapping[str, Any]) -> Arm:
    cells = dict(raw["cells"])
    dense = [0] * cells.pop("size")
    for number, count in cells.items():
        dense[int(number)] = count
    return Arm(**{**raw, "cells": dense if dense else ()})


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision again, from its evidence. `holds` is whether it came out the same; `gates` are lines for people."""

    holds: bool
    words: str
    gates: list[str]


def explain(plan: Plan, evidence: Evidence | None, action: str, words: str) -> Explanation:
    """Replay a decision; operators' own decisions have no evidence and explain themselves."""
    if evidence is None:
        return Explanation(True, words, [])
    outcome, readings = replay(plan, evidence)
    again = outcome.decision
    gate = again.gate if again else None
    ordered = sorted(readings, key=lambda reading: (reading.gate != gate, reading.verdict != "fail"))
    lines = [f"{reading.gate}: {reading.verdict} - {reading.words}" for reading in ordered]
    return Explanation(again is not None and (again.action, again.words) == (action, words), words, lines)

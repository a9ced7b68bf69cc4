"""What a rollout tells about itself: the model of GET /api/v1/rollout and the code that fills it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from .evidence import Verdict
from .machine import Phase, current, remaining

if TYPE_CHECKING:
    from .driver import Rollout


class GateStatus(BaseModel):
    """What one gate says now."""

    gate: str
    mode: Literal["decide", "critical", "observe"]
    verdict: Verdict
    words: str
    value: float | None = Field(description="the canary's; a share, or seconds for latency")
    bound: float | None = Field(description="what the value is held against")
    baseline: float | None = Field(description="stable's")
    trials: int
    evidence: float | None = Field(description="e-value against the canary; null for gates without a test")
    threshold: float | None = Field(description="the e-value that rolls back")
    route: str | None


class StepStatus(BaseModel):
    name: str
    percent: float
    hold: float = Field(description="seconds")
    min_samples: int


class RolloutStatus(BaseModel):
    """A rollout at one moment. Times are seconds of serving."""

    id: int
    plan: str
    digest: str = Field(description="tells two plans apart")
    phase: Phase
    started: str
    step: int = Field(description="from 0; the last one of `steps` is the watch")
    steps: list[StepStatus]
    elapsed: float
    samples: int = Field(description="requests of the canary in this step")
    remaining: float | None = Field(description="until time and samples are there at today's traffic; null: never")
    missing: list[str] = Field(description="what keeps the step from being passed, in words")
    gates: list[GateStatus]
    quarantined: list[str] = Field(description="routes pinned to stable by their gates")


def status(rollout: Rollout, per_second: float) -> RolloutStatus:
    """`per_second`: requests that the canary gets now."""
    plan, state = rollout.plan, rollout.state
    steps = [current(plan, type(state)(step=number)) for number in range(len(plan.steps) + 1)]
    return RolloutStatus(
        id=rollout.id,
        plan=plan.name,
        digest=plan.digest,
        phase=state.phase,
        started=rollout.started,
        step=state.step,
        steps=[
            StepStatus(name=step.name, percent=step.percent, hold=step.hold, min_samples=step.min_samples)
            for step in steps
        ],
        elapsed=round(state.elapsed, 1),
        samples=state.samples,
        remaining=remaining(plan, state, per_second) if rollout.live else None,
        missing=list(rollout.missing) if rollout.live else [],
        gates=[GateStatus(**asdict(reading)) for reading in rollout.readings],
        quarantined=list(state.quarantined),
    )

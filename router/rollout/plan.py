"""The plan of a rollout: steps, the watch after them, and the gates that must hold; what an operator writes.

A plan is TOML (``[[step]]``, ``[watch]``, ``[[gate]]`` in cutover.toml) or JSON over the admin API, the same fields in
both. It is frozen when a rollout starts; `Plan.digest` tells two plans apart in the audit trail.

python -m router.rollout.plan > schemas/plan.schema.json
"""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ..durations import seconds

Duration = Annotated[
    float, BeforeValidator(seconds), Field(ge=0, le=90 * 86400, description="seconds, or text like 250ms, 24h, 7d")
]


def hundredths(value: float) -> float:
    """Validator of weights; pydantic's own would stumble over binary fractions, or let 0.3000000001 pass."""
    if round(value, 2) != value:
        raise ValueError("must be a multiple of 0.01")
    return value


#: `multipleOf` is for readers of the schema.
Percent = Annotated[float, Field(ge=0, le=100, json_schema_extra={"multipleOf": 0.01}), AfterValidator(hundredths)]
Share = Annotated[float, Field(gt=0, lt=1)]
Ratio = Annotated[float, Field(ge=1, le=100)]

DAY = 86400.0

#: Name of the gate that every plan has: connects that fail in a row (`Plan.connect_failures`).
CONNECT = "connect"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Part):
    """One weight, held until time, samples and gates allow the next."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[\w .-]+$")
    percent: Percent
    hold: Duration = 0.0
    min_samples: int = Field(0, ge=0, description="requests that the canary must have had in this step")
    mirror: Percent = Field(0.0, description="share of requests that are mirrored for comparison")


class Watch(_Part):
    """After the last step the weight stays, and rollback stays armed for this long."""

    duration: Duration = Field(7 * DAY, alias="for")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Gate(_Part):
    name: str = Field("", max_length=40, description="by default its metric, with its route")
    mode: Literal["decide", "critical", "observe"] = Field(
        "decide",
        description="decide: rolls back while the plan runs, and holds while an operator has paused it; "
        "critical: rolls back then, too; observe: is recorded and never decides",
    )
    route: str | None = Field(
        None, description="label of a route; the gate then quarantines it instead of rolling back"
    )
    alpha: Share | None = Field(None, description="own false-alarm budget; by default an equal part of the plan's")

    @property
    def label(self) -> str:
        metric: str = self.metric  # type: ignore[attr-defined]
        return self.name or (f"{metric} {self.route}" if self.route else metric)


class _ShareGate(_Gate):
    """A share of bad trials: an absolute bound on the canary's, a bound relative to stable's, or both."""

    relative: Ratio | None = Field(None, description="the canary's share may be this many times stable's")
    margin: Share | None = Field(
        None, description="to promote, the canary's share must be less than this above stable's; by default half of max"
    )


class Errors(_ShareGate):
    """Failed requests: 5xx, refused or timed out connections, truncated answers; those stable took over included."""

    metric: Literal["errors"] = "errors"
    max: Share | None = None


class Latency(_ShareGate):
    """Slow requests. `max` bounds the quantile; relative compares the shares above stable's own quantile."""

    metric: Literal["latency"] = "latency"
    quantile: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    max: Annotated[float, BeforeValidator(seconds), Field(gt=0, le=90)] | None = None


class ClientErrors(_ShareGate):
    """Answers 4xx: what an incompatibility looks like."""

    metric: Literal["client_errors"] = "client_errors"
    max: Share | None = None


class SessionLoss(_ShareGate):
    """Answers 401: users that are signed out by changing sides."""

    metric: Literal["session_loss"] = "session_loss"
    max: Share | None = None


class Mismatch(_Gate):
    """Compared answers that differ, above the noise floor."""

    metric: Literal["mismatch"] = "mismatch"
    max: Share
    relative: None = None
    margin: None = None


class Health(_Gate):
    """At least one endpoint of the canary is up."""

    metric: Literal["health"] = "health"
    mode: Literal["decide", "critical", "observe"] = "critical"


class SampleRatio(_Gate):
    """The canary's share of active users is near the intended one; else the split or the counting is broken."""

    metric: Literal["share"] = "share"
    tolerance: Share = Field(0.05, description="allowed distance, as a share of all users")
    min_users: int = Field(500, ge=1)
    mode: Literal["decide", "critical", "observe"] = "observe"


class Promql(_Gate):
    """A Prometheus query whose value must stay below (or above) a bound; an unreachable Prometheus only holds."""

    metric: Literal["promql"] = "promql"
    query: str = Field(min_length=1)
    max: float | None = None
    min: float | None = None
    persist: Duration = Field(60.0, alias="for", description="how long the bound must be broken")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


ShareGate = Errors | Latency | ClientErrors | SessionLoss | Mismatch
Gate = Annotated[ShareGate | Health | SampleRatio | Promql, Field(discriminator="metric")]


def _default_gates() -> tuple[Gate, ...]:
    return (
        Errors(max=0.01, relative=1.5, mode="critical"),
        Latency(quantile=0.95, max=0.5, relative=1.25),
        Mismatch(max=0.001),
        ClientErrors(relative=1.5),
        SessionLoss(relative=1.5),
        Health(),
        SampleRatio(),
    )


class Plan(_Part):
    """A whole plan; the defaults are those of the product's migration."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field("rollout", min_length=1, max_length=60)
    steps: tuple[Step, ...] = Field(
        (
            Step(name="shadow", percent=0, hold=3600, mirror=100),
            Step(name="canary", percent=10, hold=DAY, min_samples=2000),
            Step(name="half", percent=50, hold=2 * DAY),
            Step(name="all", percent=100),
        ),
        alias="step",
        max_length=50,
    )
    watch: Watch = Watch()
    gates: tuple[Gate, ...] = Field(default_factory=_default_gates, alias="gate", max_length=50)
    alpha: Share = Field(0.01, description="probability that a healthy canary is rolled back, over the whole rollout")
    accept_inconclusive: bool = Field(
        False, description="promote when the time and the samples are there, though a gate can't tell yet"
    )
    keep_cohorts: bool = Field(False, description="keep the users' sides of the rollout before")
    require_drill: bool = Field(False, description="don't leave 0 % before a rollback drill was passed")
    connect_failures: int = Field(
        5, ge=1, description="failed connects to the canary in a row, without an answer between, that roll back at once"
    )
    max_quarantined: int = Field(3, ge=0, description="routes pinned to stable by their gates; one more rolls back")

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if not steps:
            raise ValueError("a plan needs a step")
        for before, after in pairwise(steps):
            if after.percent < before.percent:
                raise ValueError(
                    f"step {after.name!r} lowers the weight from {before.percent:g} to {after.percent:g} %"
                )
        names = [step.name for step in steps]
        if len(set(names)) < len(names):
            raise ValueError("two steps have the same name")
        return steps

    @model_validator(mode="after")
    def _sound(self) -> Plan:
        labels = [CONNECT, *(gate.label for gate in self.gates)]
        if len(set(labels)) < len(labels):
            raise ValueError("two gates have the same name; give one of them a name")
        for gate in self.gates:
            if (
                isinstance(gate, Errors | Latency | ClientErrors | SessionLoss)
                and gate.max is None
                and gate.relative is None
            ):
                raise ValueError(f"gate {gate.label!r} needs max, relative or both")
            if isinstance(gate, Promql) and gate.max is None and gate.min is None:
                raise ValueError(f"gate {gate.label!r} needs max, min or both")
        spent = sum(gate.alpha or 0.0 for gate in self.gates)
        if spent >= self.alpha and len(self.gates) > 0 and spent > 0:
            raise ValueError(f"the gates' own budgets ({spent:g}) leave nothing of the plan's alpha ({self.alpha:g})")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the plan in a canonical form, 16 hex digits."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


def json_schema() -> str:
    """JSON Schema of a plan, as kept in schemas/plan.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Plan.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")

"""Bodies, queries and answers of the admin API. The OpenAPI document is generated from these."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json

from ..config import Route
from ..drill.faults import Fault
from ..rollout.plan import Plan, hundredths

REASON_MAX = 500


def _printable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise ValueError("must not hold control characters or line breaks")
    stripped = value.strip()
    if not stripped:
        raise ValueError("must say why; it is kept in the audit trail")
    return stripped


#: `multipleOf` is for readers of the schema.
Percent = Annotated[
    float,
    Field(ge=0, le=100, strict=True, allow_inf_nan=False, json_schema_extra={"multipleOf": 0.01}),
    AfterValidator(hundredths),
]
Reason = Annotated[
    str,
    Field(min_length=1, max_length=REASON_MAX, strict=True, description="why; kept in the audit trail"),
    AfterValidator(_printable),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WeightChange(_Request):
    percent: Percent = Field(description="share of users that go to the canary, in steps of 0.01", examples=[12.5])
    reason: Reason


class Weight(BaseModel):
    percent: float
    revision: int
    persisted: bool = Field(
        description="false: in force, but the state file can't be written; it is saved as soon as it can be"
    )


class RoutesChange(_Request):
    routes: list[Route] = Field(max_length=64, description="all routes, in order; the first that matches applies")
    reason: Reason


class Routes(BaseModel):
    routes: list[Route]
    revision: int


class AuditQuery(_Request):
    limit: int = Field(50, ge=1, le=500, description="rows, newest first")
    before: int | None = Field(None, ge=1, le=2**63 - 1, description="only rows older than this id")


class AuditRow(BaseModel):
    id: int
    time: str
    actor: str
    action: str
    reason: str
    before: Json[Any]
    after: Json[Any]
    outcome: str
    hash: str


class Audit(BaseModel):
    rows: list[AuditRow]
    next: int | None = Field(description="`before` of the next page; null on the last one")


class AuditVerification(BaseModel):
    intact: bool
    rows: int = Field(description="rows that hold, from the first on")
    problem: str


class RolloutStart(_Request):
    plan: Plan | None = Field(None, description="by default the one of the router's configuration")
    reason: Reason


class Command(_Request):
    reason: Reason


class DrillResult(_Request):
    fault: Fault
    detected: bool
    requests: int = Field(ge=0, description="of the canary, until weight 0")
    seconds: float = Field(ge=0)
    gate: str | None = Field(max_length=80)


class DrillRecord(_Request):
    results: list[DrillResult] = Field(max_length=20)
    reason: Reason


class Drill(BaseModel):
    passed: bool = Field(description="every fault was tried and detected")


class DecisionQuery(_Request):
    limit: int = Field(50, ge=1, le=500, description="decisions, newest first")
    before: int = Field(2**63 - 1, ge=1, le=2**63 - 1, description="only decisions older than this id")


class DecisionRow(BaseModel):
    id: int
    rollout: int
    time: str
    actor: str
    action: str
    step: str = Field(description="in which it was decided")
    percent: float = Field(description="the weight from then on")
    gate: str | None = Field(description="the one that decided")
    words: str


class Decisions(BaseModel):
    rows: list[DecisionRow]
    next: int | None = Field(description="`before` of the next page; null on the last one")


class Explained(DecisionRow):
    holds: bool = Field(description="the same comes out when it is decided again from its evidence")
    gates: list[str] = Field(description="what every gate said, the one that decided first")


class Alive(BaseModel):
    status: str = "ok"


class ErrorDetail(BaseModel):
    code: str
    message: str
    fields: dict[str, str] | None = Field(None, description="what is wrong with which field; only with status 422")


class Error(BaseModel):
    error: ErrorDetail

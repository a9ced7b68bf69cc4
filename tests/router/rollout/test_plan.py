"""Plans: the product's default, TOML and JSON alike, and mistakes that are named."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from router.rollout.plan import Errors, Plan, json_schema

TOML = """
[[step]]
name = "shadow"
percent = 0
hold = "1h"
mirror = 100
[[step]]
name = "canary"
percent = 10
hold = "24h"
min_samples = 2000
[watch]
for = "7d"
[[gate]]
metric = "errors"
max = 0.01
relative = 1.5
[[gate]]
metric = "latency"
quantile = 0.95
max = "500ms"
relative = 1.25
[[gate]]
metric = "promql"
query = "up"
min = 1
for = "2m"
"""


def test_the_default_is_the_products_plan() -> None:
    plan = Plan()
    assert [(step.name, step.percent, step.hold / 3600) for step in plan.steps] == [
        ("shadow", 0, 1),
        ("canary", 10, 24),
        ("half", 50, 48),
        ("all", 100, 0),
    ]
    assert plan.watch.duration == 7 * 86400
    assert {gate.label for gate in plan.gates} >= {"errors", "latency", "mismatch", "client_errors", "health"}


def test_toml_and_json_give_the_same_plan() -> None:
    plan = Plan.model_validate(tomllib.loads(TOML))
    assert plan.steps[1].hold == 86400
    assert plan.gates[1].label == "latency"
    again = Plan.model_validate_json(plan.model_dump_json(by_alias=True))
    assert again == plan
    assert again.digest == plan.digest


def test_another_plan_has_another_digest() -> None:
    assert Plan().digest != Plan(alpha=0.02).digest


def test_every_hundredth_of_a_percent_is_a_weight() -> None:
    for hundredths in range(10_001):
        percent = hundredths / 100
        assert Plan.model_validate({"step": [{"name": "a", "percent": percent}]}).steps[0].percent == percent


@pytest.mark.parametrize(
    ("raw", "where", "what"),
    [
        ({"step": []}, "step", "a plan needs a step"),
        ({"step": [{"name": "a", "percent": 101}]}, "step.0.percent", "less than or equal to 100"),
        ({"step": [{"name": "a", "percent": 0.001}]}, "step.0.percent", "multiple of 0.01"),
        ({"step": [{"name": "a", "percent": 1, "hold": "1 fortnight"}]}, "step.0.hold", "not a duration"),
        ({"step": [{"name": "a", "percent": 1, "holds": 1}]}, "step.0.holds", "Extra inputs"),
        ({"step": [{"name": "a", "percent": 9}, {"name": "b", "percent": 5}]}, "step", "lowers the weight"),
        ({"step": [{"name": "a", "percent": 5}, {"name": "a", "percent": 9}]}, "step", "same name"),
        ({"gate": [{"metric": "speed"}]}, "gate.0", "does not match any of the expected tags"),
        ({"gate": [{"metric": "errors"}]}, "", "needs max, relative or both"),
        ({"gate": [{"metric": "promql", "query": "up"}]}, "", "needs max, min or both"),
        ({"gate": [{"metric": "errors", "max": 0.1}, {"metric": "errors", "max": 0.2}]}, "", "same name"),
        ({"gate": [{"metric": "errors", "max": 0.1, "alpha": 0.01}]}, "", "leave nothing"),
        ({"gate": [{"metric": "errors", "max": 1.5}]}, "gate.0.errors.max", "less than 1"),
        ({"alpha": 0}, "alpha", "greater than 0"),
        ({"steps_": 1}, "steps_", "Extra inputs"),
    ],
)
def test_mistakes_are_named(raw: dict[str, object], where: str, what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(raw)
    (problem,) = caught.value.errors()
    assert ".".join(map(str, problem["loc"])) == where
    assert what in problem["msg"]


def test_the_schema_file_is_current() -> None:
    path = Path(__file__).parents[3] / "schemas" / "plan.schema.json"
    assert path.read_text("utf-8") == json_schema(), "run: make docs"


def test_the_schema_has_the_names_that_plans_use() -> None:
    schema = json.loads(json_schema())
    assert set(schema["properties"]) >= {"name", "step", "watch", "gate", "alpha", "require_drill"}
    assert set(schema["$defs"]["Watch"]["properties"]) == {"for"}
    assert schema["additionalProperties"] is False


def test_gates_on_the_same_metric_need_names() -> None:
    gates = (Errors(max=0.1), Errors(max=0.1, route="/otel"), Errors(max=0.2, name="loose"))
    assert [gate.label for gate in Plan(gates=gates).gates] == ["errors", "errors /otel", "loose"]

"""The rollout over HTTP: who may do what, what is refused and how that is said, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from router.control import Control
from router.rollout.driver import Rollouts
from router.store import Store

START, ROLLOUT, DECISIONS = "/api/v1/rollouts", "/api/v1/rollout", "/api/v1/decisions"
COMMANDS = ("pause", "resume", "promote", "rollback", "abort")
PLAN: dict[str, Any] = {
    "name": "try",
    "step": [{"name": "some", "percent": 10, "hold": "1h"}, {"name": "all", "percent": 100}],
    "gate": [{"metric": "errors", "max": 0.05}],
}
BODY = {"plan": PLAN, "reason": "go"}
WRITES = [(START, BODY), *((f"{ROLLOUT}/{name}", {"reason": "r"}) for name in COMMANDS)]
READS = [ROLLOUT, DECISIONS, f"{DECISIONS}/1/explain"]


async def begin(operator: httpx.AsyncClient) -> httpx.Response:
    answer = await operator.post(START, json=BODY)
    assert answer.status_code == 200, answer.text
    return answer


async def test_started_paused_resumed_promoted_rolled_back(operator: httpx.AsyncClient, control: Control) -> None:
    started = await begin(operator)
    tree = started.json()
    assert (tree["id"], tree["plan"], tree["phase"], tree["step"], control.percent) == (1, "try", "running", 0, 10)
    assert [step["name"] for step in tree["steps"]] == ["some", "all", "watch"]
    assert started.headers["etag"] == f'"{control.revision}"'
    for command, phase, percent in (
        ("pause", "paused", 10),
        ("resume", "running", 10),
        ("promote", "running", 100),
        ("rollback", "rolled_back", 0),
    ):
        answer = await operator.post(f"{ROLLOUT}/{command}", json={"reason": f"for {command}"})
        assert (answer.status_code, answer.json()["phase"], control.percent) == (200, phase, percent)
    rows = (await operator.get(DECISIONS)).json()["rows"]
    assert [row["action"] for row in rows] == ["rollback", "promote", "resume", "pause", "start"]
    assert all(row["actor"] == "operator@10.0.0.9" for row in rows)
    trail = await control.audit(10)
    assert [row.action for row in trail] == [f"rollout.{row['action']}" for row in rows]
    assert (await control.verify()).intact


async def test_abort_ends_it_and_leaves_the_weight(operator: httpx.AsyncClient, control: Control) -> None:
    await begin(operator)
    answer = await operator.post(f"{ROLLOUT}/abort", json={"reason": "by hand"})
    assert (answer.json()["phase"], answer.json()["missing"], control.percent) == ("aborted", [], 10)


async def test_without_a_plan_the_configured_one_starts(operator: httpx.AsyncClient, control: Control) -> None:
    tree = (await operator.post(START, json={"reason": "go"})).json()
    assert [step["name"] for step in tree["steps"]] == ["shadow", "canary", "half", "all", "watch"]
    assert tree["digest"] == control.settings.plan.digest


@pytest.mark.parametrize(("path", "body"), WRITES)
async def test_who_may_write(
    operator: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    anyone: httpx.AsyncClient,
    client: Callable[..., httpx.AsyncClient],
    control: Control,
    path: str,
    body: dict[str, Any],
) -> None:
    await begin(operator)
    before = control.revision, control.percent
    for who, status, code in (
        (viewer, 403, "forbidden"),
        (anyone, 401, "unauthorized"),
        (client("wrong"), 401, "unauthorized"),
    ):
        answer = await who.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (control.revision, control.percent) == before
    assert [row.action for row in await control.audit(1)] == ["denied"]


@pytest.mark.parametrize("path", READS)
async def test_who_may_read(
    operator: httpx.AsyncClient, viewer: httpx.AsyncClient, anyone: httpx.AsyncClient, path: str
) -> None:
    await begin(operator)
    assert [(await who.get(path)).status_code for who in (operator, viewer, anyone)] == [200, 200, 401]


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_without_a_rollout(operator: httpx.AsyncClient, command: str) -> None:
    answer = await operator.post(f"{ROLLOUT}/{command}", json={"reason": "r"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_rollout")


async def test_nothing_to_tell_before_the_first(operator: httpx.AsyncClient) -> None:
    answer = await operator.get(ROLLOUT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_rollout")
    assert (await operator.get(DECISIONS)).json() == {"rows": [], "next": None}
    assert (await operator.get("/api/v1/status")).json()["rollout"] is None


async def test_the_status_holds_the_rollout(operator: httpx.AsyncClient) -> None:
    await begin(operator)
    assert (await operator.get("/api/v1/status")).json()["rollout"] == (await operator.get(ROLLOUT)).json()


async def test_only_one_is_live(operator: httpx.AsyncClient) -> None:
    await begin(operator)
    answer = await operator.post(START, json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "live")


async def test_a_command_that_does_not_fit(operator: httpx.AsyncClient) -> None:
    await begin(operator)
    answer = await operator.post(f"{ROLLOUT}/resume", json={"reason": "r"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "unfit")


async def test_without_a_canary(operator: httpx.AsyncClient, control: Control) -> None:
    control.settings = control.settings.model_copy(update={"canary": ()})
    answer = await operator.post(START, json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_canary")
    assert (await operator.get(ROLLOUT)).status_code == 404


@pytest.mark.parametrize(("path", "body"), WRITES)
async def test_two_operators_do_not_overwrite_each_other(
    operator: httpx.AsyncClient, control: Control, path: str, body: dict[str, Any]
) -> None:
    if path != START:
        await begin(operator)
    old, before = {"If-Match": f'"{control.revision - 1}"'}, control.revision
    answer = await operator.post(path, json=body, headers=old)
    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "precondition_failed")
    assert control.revision == before


@pytest.mark.parametrize("path", [path for path, _ in WRITES])
@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "a\nb"}, {"reason": 5}])
async def test_a_reason_is_needed(operator: httpx.AsyncClient, control: Control, path: str, body: Any) -> None:
    answer = await operator.post(path, json=body)
    assert (answer.status_code, set(answer.json()["error"]["fields"])) == (422, {"reason"})
    assert control.revision == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"step": []}, "plan.step"),
        ({"step": [{"name": "a", "percent": 101}]}, "plan.step.0.percent"),
        ({"step": [{"name": "a", "percent": 10.001}]}, "plan.step.0.percent"),
        ({"step": [{"name": "a", "percent": 12.340000001}]}, "plan.step.0.percent"),
        ({"step": [{"percent": 1}]}, "plan.step.0.name"),
        ({"step": [{"name": "a", "percent": 1, "hold": "soon"}]}, "plan.step.0.hold"),
        ({"step": [{"name": "a", "percent": 1, "hold": "91d"}]}, "plan.step.0.hold"),
        ({"step": [{"name": "a", "percent": 9}, {"name": "b", "percent": 1}]}, "plan.step"),
        ({"gate": [{"metric": "luck"}]}, "plan.gate.0"),
        ({"gate": [{"metric": "errors"}]}, "plan"),
        ({"gate": [{"metric": "errors", "max": 2}]}, "plan.gate.0.errors.max"),
        ({"gate": [{"metric": "errors", "max": 0.1, "route": "/typo"}]}, "plan.gate.0.route"),
        ({"alpha": 0}, "plan.alpha"),
        ({"watch": {"until": "1d"}}, "plan.watch.until"),
        ({"steps": []}, "plan.steps"),
    ],
)
async def test_mistakes_in_a_plan_are_named(
    operator: httpx.AsyncClient, control: Control, changes: dict[str, Any], field: str
) -> None:
    answer = await operator.post(START, json={"plan": PLAN | changes, "reason": "go"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert set(answer.json()["error"]["fields"]) == {field}
    assert control.revision == 1


async def test_disk_full(operator: httpx.AsyncClient, control: Control, store: Store) -> None:
    await store._connection.execute("PRAGMA query_only = ON")
    refused = await operator.post(START, json=BODY)
    assert (refused.status_code, refused.json()["error"]["code"], control.percent) == (503, "store", 0)
    assert (await operator.get(ROLLOUT)).status_code == 404
    await store._connection.execute("PRAGMA query_only = OFF")
    await begin(operator)
    await store._connection.execute("PRAGMA query_only = ON")
    promoted = await operator.post(f"{ROLLOUT}/promote", json={"reason": "r"})
    assert (promoted.status_code, control.percent) == (503, 10)
    rolled_back = await operator.post(f"{ROLLOUT}/rollback", json={"reason": "r"})
    assert (rolled_back.status_code, rolled_back.json()["phase"], control.percent) == (200, "rolled_back", 0)


async def test_a_weight_set_by_hand_pauses_it(operator: httpx.AsyncClient) -> None:
    await begin(operator)
    await operator.put("/api/v1/weight", json={"percent": 3, "reason": "careful"})
    tree = (await operator.get(ROLLOUT)).json()
    assert (tree["phase"], tree["step"]) == ("paused", 0)


@pytest.mark.parametrize("number", ["9", "0", "x", "1x", "-1", "²", "9" * 30])
async def test_an_unknown_decision(operator: httpx.AsyncClient, number: str) -> None:
    answer = await operator.get(f"{DECISIONS}/{number}/explain")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_a_decision_is_explained(operator: httpx.AsyncClient, rollouts: Rollouts) -> None:
    await begin(operator)
    rollouts._control.table.set_up(1, [False])
    await operator.post(f"{ROLLOUT}/pause", json={"reason": "r"})
    plan = PLAN | {"gate": [{"metric": "health"}]}
    await operator.post(f"{ROLLOUT}/abort", json={"reason": "r"})
    await operator.post(START, json={"plan": plan, "reason": "again"})
    await rollouts.tick()
    tree = (await operator.get(f"{DECISIONS}/5/explain")).json()
    assert (tree["action"], tree["gate"], tree["percent"], tree["actor"]) == ("rollback", "health", 0, "router")
    assert (tree["holds"], tree["gates"][0]) == (True, "health: fail - no endpoint of the canary is up")
    own = (await operator.get(f"{DECISIONS}/4/explain")).json()
    assert (own["action"], own["words"], own["gates"]) == ("start", "again", [])


async def test_decisions_come_in_pages(operator: httpx.AsyncClient) -> None:
    await begin(operator)
    for command in ("pause", "resume", "pause", "resume"):
        await operator.post(f"{ROLLOUT}/{command}", json={"reason": "r"})
    found: list[int] = []
    query: dict[str, int] = {"limit": 2}
    while True:
        page = (await operator.get(DECISIONS, params=query)).json()
        found += [row["id"] for row in page["rows"]]
        if page["next"] is None:
            break
        query["before"] = page["next"]
    assert found == [5, 4, 3, 2, 1]
    assert (await operator.get(DECISIONS, params={"limit": 0})).status_code == 422

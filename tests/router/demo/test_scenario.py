"""The story on a mocked admin API: what it asks for, in which order, and what it gives up on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import httpx
import pytest

from router.demo import scenario
from router.demo.measure import Step
from router.demo.processes import DemoError
from router.demo.scenario import PLAN, Admin, Leg, Scenario
from router.demo.sides import Answer
from router.demo.traffic import Traffic


class Crowd(Traffic):
    """Users who need no network: everybody who joined answers at once from canary."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0, think=0.0, accounts=())
        self.events: list[str] = []

    def join(self, count: int) -> None:
        self.events.append(f"join {count}")
        self.answers += [Answer(user, float("inf"), float("-inf"), 200, "canary", "") for user in range(count)]

    async def stop(self) -> None:
        self.events.append("stop")


def admin(respond: Callable[[httpx.Request], httpx.Response]) -> Admin:
    return Admin(httpx.AsyncClient(base_url="http://127.0.0.1", transport=httpx.MockTransport(respond)))


async def test_it_walks_the_plan_and_shows_each_step_once_it_is_finished() -> None:
    crowd, shown = Crowd(), []

    def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            assert request.url.path == "/api/v1/status"
            crowd.events.append("status")
            return httpx.Response(200, json={"arms": {"stable": {"requests": 0}, "canary": {"requests": 4}}})
        assert (request.method, request.url.path) == ("PUT", "/api/v1/weight")
        asked = json.loads(request.content)
        assert asked["reason"] == "demo"
        crowd.events.append(f"weight {asked['percent']:g}")
        return httpx.Response(200, json={})

    def show(steps: Sequence[Step], running: Step | None) -> None:
        shown.append(([step.percent for step in steps], running))

    outcome = await Scenario(admin(respond), crowd, [Leg(100, 0, 3), Leg(0, 0, 1)]).run(show)
    assert crowd.events == ["weight 100", "join 3", "weight 0", "join 1", "stop", "status"]
    assert shown == [([100], None), ([100, 0], None)]
    assert [(step.percent, step.requests) for step in outcome.steps] == [(100, 3), (0, 1)]
    assert outcome.seen == outcome.counted == {"stable": 0, "canary": 4}
    # Everybody came to canary at 100 %; the one who is still there at 0 % should not be.
    assert outcome.steps[0].problems() == []
    assert outcome.steps[1].user_share.observed == 1


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(401, text="no token"), "refused PUT /api/v1/weight: 401 no token"),
        (httpx.ConnectError("nobody there"), "didn't answer: ConnectError nobody there"),
    ],
)
async def test_without_the_admin_api_it_ends(response: httpx.Response | Exception, said: str) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    with pytest.raises(DemoError, match=said):
        await admin(respond).set_weight(10)


def test_the_plan_is_the_one_that_was_promised_and_fits_a_minute() -> None:
    assert [leg.percent for leg in PLAN] == [0, 10, 50, 100, 0]
    assert sum(leg.seconds for leg in PLAN) < 45
    assert 200 <= sum(leg.joining for leg in PLAN) <= 900


@pytest.mark.parametrize(("failure", "problems"), [("", []), ("502", ["3 of 3 requests failed around the rollback"])])
async def test_after_the_fault_the_router_has_to_help_itself(
    monkeypatch: pytest.MonkeyPatch, failure: str, problems: list[str]
) -> None:
    monkeypatch.setattr(scenario, "CALM_SECONDS", 0)
    events: list[str] = []
    crowd = Crowd()

    def fault() -> None:
        events.append("fault")
        crowd.answers += [Answer(user, 0.0, 0.0, 200, "stable", failure) for user in range(3)]

    def respond(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        events.append(path.removeprefix("/api/v1/"))
        if path == "/api/v1/rollout":
            phase = "rolled_back" if "fault" in events else "running"
            return httpx.Response(200, json={"step": 1, "phase": phase})
        if path == "/api/v1/decisions":
            return httpx.Response(200, json={"rows": [{"id": 3}]})
        if path == "/api/v1/decisions/3/explain":
            row = {"id": 3, "rollout": 1, "action": "rollback", "step": "half", "percent": 0, "gate": "errors"}
            return httpx.Response(
                200, json={**row, "time": "", "actor": "router", "words": "9 failed", "gates": [], "holds": True}
            )
        return httpx.Response(200, json={"arms": {"stable": {"requests": 3}, "canary": {"requests": 0}}})

    outcome = await Scenario(admin(respond), crowd, [Leg(0, 0, 0)], fault).run(lambda steps, running: None)
    assert events[:4] == ["weight", "rollouts", "rollout", "fault"]
    assert outcome.rollback is not None
    assert "9 failed" in outcome.rollback.words
    assert outcome.rollback.problems() == problems


async def test_a_rollout_that_does_not_move_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "PATIENCE_SECONDS", 0)
    tree = {"id": 1, "plan": "demo", "phase": "running", "step": 0, "steps": [{"name": "a", "percent": 1, "hold": 1}]}
    tree |= {"elapsed": 0, "samples": 0, "remaining": None, "missing": ["time"], "quarantined": [], "gates": []}
    with pytest.raises(DemoError, match="missing: time"):
        await Scenario(admin(lambda _: httpx.Response(200, json=tree)), Crowd(), [Leg(0, 0, 0)], lambda: None).run(
            lambda *_: None
        )

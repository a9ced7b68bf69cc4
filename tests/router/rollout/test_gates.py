"""Every gate: what makes it pass, hold and fail, what it says, and that it comes back from JSON as it was."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import Any

import pytest

from router.histogram import CELLS, EDGES
from router.rollout.evidence import Arm, Interval, Reading
from router.rollout.gates import Judge
from router.rollout.plan import Plan, Step

CANARY = Step(name="canary", percent=10, mirror=100)
SHADOW = Step(name="shadow", percent=0)


def judge(*gates: dict[str, Any], **more: Any) -> Judge:
    return Judge(Plan.model_validate({"gate": gates, **more}))


def only(found: Judge, step: Step = CANARY) -> Reading:
    reading, connect = found.readings(step)
    assert connect.gate == "connect"
    return reading


def fed(found: Judge, *intervals: Interval) -> Judge:
    for interval in intervals:
        found.update(interval)
    return found


def counts(canary: int, bad: int, stable: int = 0, stable_bad: int = 0, kind: str = "failed") -> Interval:
    def arm(trials: int, count: int) -> Arm:
        found = {"failed": 0, "client_errors": 0, "unauthorized": 0, kind: count}
        return Arm(trials, found["failed"], found["client_errors"], found["unauthorized"])

    return Interval(1.0, arm(stable, stable_bad), arm(canary, bad))


def took(*seconds: float) -> list[int]:
    cells = [0] * CELLS
    for each in seconds:
        cells[bisect_left(EDGES, round(each * 1e6))] += 1
    return cells


def times(canary: list[float], stable: list[float]) -> Interval:
    return Interval(1.0, Arm(len(stable), cells=took(*stable)), Arm(len(canary), cells=took(*canary)))


ERRORS = {"metric": "errors", "max": 0.01, "relative": 1.5}


@pytest.mark.parametrize(
    ("metric", "kind"), [("errors", "failed"), ("client_errors", "client_errors"), ("session_loss", "unauthorized")]
)
def test_each_metric_counts_its_own(metric: str, kind: str) -> None:
    for counted in ("failed", "client_errors", "unauthorized"):
        found = fed(judge({"metric": metric, "max": 0.01}), counts(50, 25, kind=counted))
        assert only(found).verdict == ("fail" if counted == kind else "hold")


def test_few_requests_hold_whatever_their_share() -> None:
    found = only(fed(judge(ERRORS), counts(100, 0)))
    assert found.verdict == "hold"
    assert "may still be up to" in found.words


def test_enough_good_requests_pass() -> None:
    found = only(fed(judge(ERRORS), counts(20_000, 40, 180_000, 360)))
    assert found.verdict == "pass"
    assert found.value == found.baseline == 0.002
    assert found.trials == 20_000


def test_a_failure_says_how_sure_it_is() -> None:
    found = only(fed(judge(ERRORS), counts(20, 10, 180, 0)))
    assert found.verdict == "fail"
    assert "10 of 20 canary requests failed (50 %), stable 0 %" in found.words
    assert "the limit is 1 %" in found.words
    assert found.evidence is not None
    assert found.threshold is not None
    assert found.evidence >= found.threshold


def test_below_max_but_worse_than_stable_fails_relatively() -> None:
    found = only(fed(judge(ERRORS), *[counts(1000, 8, 9000, 9)] * 5))
    assert found.verdict == "fail"
    assert "1.5 times stable's share" in found.words


def test_a_bad_hour_of_both_arms_is_not_the_canarys() -> None:
    found = only(fed(judge({"metric": "errors", "relative": 1.5}), *[counts(100, 30, 900, 270)] * 20))
    assert found.verdict != "fail"


def test_single_trials_add_up_to_relative_evidence() -> None:
    """At one request a second no interval has both arms; they are put together."""
    found = judge({"metric": "errors", "relative": 1.5})
    for _ in range(1500):
        fed(found, counts(1, 1), *[counts(0, 0, 1, 0)] * 9)
        if only(found).verdict == "fail":
            return
    raise AssertionError("never seen")


def test_no_requests_hold() -> None:
    assert only(fed(judge(ERRORS), *[Interval(1.0)] * 100)).verdict == "hold"


def test_nothing_is_judged_where_the_canary_gets_nothing() -> None:
    assert only(judge(ERRORS), SHADOW).verdict == "pass"
    assert only(judge({"metric": "mismatch", "max": 0.01}), SHADOW).verdict == "pass"
    assert only(judge({"metric": "latency", "max": "1s"}), SHADOW).verdict == "pass"


def test_mismatches() -> None:
    gate = {"metric": "mismatch", "max": 0.001}
    assert only(fed(judge(gate), Interval(1.0, compared=20_000, mismatched=1))).verdict == "pass"
    assert only(fed(judge(gate), Interval(1.0, compared=200, mismatched=10))).verdict == "fail"


def test_slow_against_a_fixed_limit() -> None:
    gate = {"metric": "latency", "quantile": 0.95, "max": "500ms"}
    assert only(fed(judge(gate), times([0.1] * 4000, []))).verdict == "pass"
    slow = only(fed(judge(gate), times([0.1] * 40 + [0.9] * 60, [])))
    assert slow.verdict == "fail"
    assert "60 of 100 canary requests were slower than 500 ms" in slow.words
    assert slow.value == pytest.approx(0.9, rel=0.03)
    assert slow.bound == 0.5


def test_slow_against_stable() -> None:
    """The canary's p95 is three times stable's; no fixed limit."""
    gate = {"metric": "latency", "quantile": 0.95, "relative": 1.25}
    stable = [0.01] * 94 + [0.02] * 5 + [0.03]
    found = fed(judge(gate), *[times([], stable)] * 3)
    assert only(found).verdict == "hold"
    same = fed(found, *[times(stable[::10], stable)] * 40)
    assert only(same).verdict != "fail"
    slower = fed(same, *[times([0.03] * 10, stable)] * 20)
    assert only(slower).verdict == "fail"
    assert "slower than stable's p95" in only(slower).words


def test_the_limit_is_fixed_before_its_interval_is_read() -> None:
    """Both arms become slow at once, which accuses neither of them."""
    gate = {"metric": "latency", "quantile": 0.95, "relative": 1.25}
    found = fed(judge(gate), *[times([0.01] * 20, [0.01] * 180)] * 3)
    found = fed(found, *[times([0.5] * 20, [0.5] * 180)] * 20)
    assert only(found).verdict != "fail"


def test_an_hour_is_forgotten() -> None:
    gate = {"metric": "latency", "quantile": 0.95, "relative": 1.25}
    found = judge(gate)
    old = Interval(1800.0, Arm(300, cells=took(*[1.0] * 300)), Arm())
    new = Interval(1800.0, Arm(300, cells=took(*[0.01] * 300)), Arm())
    fed(found, old, new, new, new)
    state = found.dump()["latency"]["hour"]
    assert not any(cell == bisect_left(EDGES, 10**6) for half in ("full", "filling") for cell in state[half])


def test_health() -> None:
    gate = {"metric": "health"}
    assert only(judge(gate)).mode == "critical"
    assert only(fed(judge(gate), Interval(1.0, endpoints_up=2))).verdict == "pass"
    assert only(fed(judge(gate), Interval(1.0, endpoints_up=0))).verdict == "fail"
    assert only(fed(judge(gate), Interval(1.0, endpoints_up=0)), SHADOW).verdict == "hold"


def test_failed_connects_in_a_row() -> None:
    def verdicts(*intervals: Interval) -> list[str]:
        found = judge(connect_failures=3)
        return [fed(found, interval).readings(CANARY)[-1].verdict for interval in intervals]

    refused, answered = Interval(0.1, refused=2), Interval(0.1, canary=Arm(2, failed=1), refused=5)
    assert verdicts(refused, refused) == ["pass", "fail"]
    assert verdicts(refused, answered, refused) == ["pass", "pass", "pass"]
    assert verdicts(Interval(0.1, canary=Arm(3, failed=3), refused=3)) == ["fail"]


@pytest.mark.parametrize(
    ("users", "verdict"), [((900, 100), "pass"), ((700, 300), "fail"), ((90, 10), "hold"), ((0, 0), "hold")]
)
def test_share_of_users(users: tuple[float, float], verdict: str) -> None:
    found = fed(judge({"metric": "share", "mode": "decide"}), Interval(1.0, users=users, intended=0.1))
    assert only(found).verdict == verdict


def test_a_query_must_be_out_of_bounds_for_a_while() -> None:
    found = judge({"metric": "promql", "query": "q", "max": 5, "for": 60})

    def say(value: float | None, seconds: float = 30) -> str:
        return only(fed(found, Interval(seconds, queries={"promql": value}))).verdict

    assert [say(4), say(6), say(6), say(4), say(6)] == ["pass", "hold", "fail", "pass", "hold"]
    assert [say(None, 10**6), say(6)] == ["hold", "hold"]


@pytest.mark.parametrize(("bounds", "good", "bad"), [({"min": 1}, 1, 0), ({"min": 1, "max": 2}, 2, 3)])
def test_both_bounds_of_a_query(bounds: dict[str, int], good: float, bad: float) -> None:
    gate = {"metric": "promql", "query": "q", "for": 0, **bounds}
    assert only(fed(judge(gate), Interval(1.0, queries={"promql": good}))).verdict == "pass"
    assert only(fed(judge(gate), Interval(1.0, queries={"promql": bad}))).verdict == "fail"


def test_a_gate_of_a_route_sees_only_its_route() -> None:
    gate = {"metric": "errors", "max": 0.01, "route": "/a"}
    bad = (Arm(100), Arm(100, failed=100))
    assert only(fed(judge(gate), Interval(1.0, *bad, routes={"/b": bad}))).verdict == "hold"
    assert only(fed(judge(gate), Interval(1.0, routes={"/a": bad}))).verdict == "fail"
    assert only(judge(gate)).route == "/a"


def test_budgets_are_split_over_tests_that_decide() -> None:
    found = judge({**ERRORS}, {"metric": "client_errors", "relative": 2}, {"metric": "health"}, alpha=0.01)
    errors, client_errors, *_ = found.readings(CANARY)
    assert errors.threshold == pytest.approx(1 / (0.01 / 2 / 2))
    assert client_errors.threshold == pytest.approx(1 / (0.01 / 2))
    own = judge({"metric": "errors", "max": 0.1, "alpha": 0.004}, {"metric": "client_errors", "max": 0.1}, alpha=0.01)
    assert [reading.threshold for reading in own.readings(CANARY)[:2]] == pytest.approx([250, 1 / 0.006])


MIXED = (
    counts(50, 1, 450, 2),
    times([0.01] * 20, [0.02] * 300),
    Interval(1.0, compared=10, users=(900, 80), intended=0.1, endpoints_up=1),
    times([0.3] * 20, [0.02] * 30),
    counts(50, 2, 450, 2, kind="client_errors"),
)


@pytest.mark.parametrize("cut", range(len(MIXED)))
def test_saved_and_loaded_it_goes_on_bit_for_bit(cut: int) -> None:
    plan = Plan()
    whole = Judge(plan)
    fed(whole, *MIXED[:cut])
    whole.begin_step()
    loaded = Judge(plan, json.loads(json.dumps(whole.dump())))
    for each in (whole, loaded):
        fed(each, *MIXED[cut:])
    assert loaded.readings(CANARY) == whole.readings(CANARY)
    assert json.dumps(loaded.dump()) == json.dumps(whole.dump())


def test_a_new_step_counts_anew_and_keeps_the_evidence() -> None:
    found = fed(judge(ERRORS), counts(20, 4))
    before = only(found)
    found.begin_step()
    after = only(found)
    assert after.trials == 0
    assert after.evidence is not None
    assert before.evidence is not None
    assert after.evidence >= before.evidence * 0.99


def test_an_interval_does_not_reach_over_a_change_of_weight() -> None:
    """Slow requests of a busy second later must not be held against stable's of a quiet one before."""
    found = fed(judge({"metric": "errors", "relative": 1.5}), counts(9, 0, 81, 0))
    found.begin_step()
    fed(found, counts(500, 50, 0, 0))
    assert only(found).verdict != "fail"


def test_at_100_percent_stables_last_limit_stays() -> None:
    """Half a day after the last request of stable the gate still has what to compare with, and passes."""
    found = judge({"metric": "latency", "relative": 1.25})
    found.update(times([], [0.01] * 1000))
    for _ in range(12):
        found.update(Interval(3600.0, Arm(), Arm(1000, cells=took(*[0.005] * 1000))))
    found.begin_step()
    found.update(Interval(1.0, Arm(), Arm(1000, cells=took(*[0.005] * 1000))))
    assert only(found).verdict == "pass"


def test_a_stable_that_was_never_asked_is_said() -> None:
    found = fed(judge({"metric": "latency", "relative": 1.25}), times([0.005] * 1000, []))
    assert (only(found).verdict, only(found).words) == (
        "hold",
        "stable has had fewer than 200 requests to compare with",
    )


def test_nothing_compared_is_said_and_holds_nobody_up() -> None:
    found = judge({"metric": "mismatch", "max": 0.001})
    assert only(found).verdict == "pass"
    assert "no answers are compared" in only(found).words
    assert only(fed(found, Interval(1.0, compared=10))).verdict == "hold"


@pytest.mark.parametrize(("limit", "slow"), [(0.5, 1), (4.9, 1), (5, 0), (20, 0)])
def test_an_overdue_request_is_one_slow_trial(limit: float, slow: int) -> None:
    """At once where the limit is lower than that wait, else when it ends; never twice."""
    found = judge({"metric": "latency", "max": limit})
    found.update(Interval(1.0, Arm(), Arm(10, cells=took(*[0.1] * 10), overdue=1)))
    words = only(found).words
    assert f"{slow} of {10 + slow} canary requests" in words
    found.update(Interval(1.0, Arm(), Arm(1, cells=took(30.0), late=1)))
    assert "1 of 11 canary requests" in only(found).words


def test_a_hung_canary_fails_before_anything_times_out() -> None:
    found = judge({"metric": "latency", "max": 0.5, "relative": 1.25}, {"metric": "errors", "max": 0.01})
    found.update(times([0.01] * 200, [0.01] * 1000))
    found.update(Interval(1.0, Arm(180, cells=took(*[0.01] * 180)), Arm(overdue=20)))
    assert found.readings(CANARY)[0].verdict == "fail"


def test_what_came_last_is_said_when_the_step_hides_it() -> None:
    found = fed(judge(ERRORS), counts(5000, 5), *[counts(10, 6)] * 4)
    assert only(found).verdict == "fail"
    words = only(found).words
    assert words.startswith("12 of the last 20 canary requests failed (60 %); in this step 29 of 5,040"), words

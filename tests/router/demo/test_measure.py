"""Shares, quantiles and verdicts from answers made up for each case."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from router.demo.measure import Outcome, Share, count, measure, percentile, share
from router.demo.sides import Answer, Change, Seen

CHANGE = Change(50, asked=10.0, done=10.01)
AFTER_GRACE = 10.1


def answer(user: int, arm: str, sent: float = AFTER_GRACE, taken: float = 0.001, failure: str = "") -> Answer:
    return Answer(user, sent, sent + taken, 200, arm, failure)


@pytest.mark.parametrize(
    ("ordered", "q", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.51, 3.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 101)], 0.991, 100.0),
    ],
)
def test_percentile_is_the_nearest_rank(ordered: Sequence[float], q: float, expected: float | None) -> None:
    assert percentile(ordered, q) == expected


def test_tolerance_of_users_is_four_sigma_of_the_binomial() -> None:
    assert share(30, [1] * 300, 0.1).tolerance == pytest.approx(4 * math.sqrt(0.1 * 0.9 / 300))


def test_tolerance_grows_when_few_users_make_most_requests() -> None:
    even, uneven = share(0, [10] * 100, 0.5), share(0, [1] * 99 + [901], 0.5)
    assert even.tolerance == pytest.approx(share(0, [1] * 100, 0.5).tolerance)
    assert uneven.tolerance > 8 * even.tolerance


@pytest.mark.parametrize("intended", [0.0, 1.0])
def test_nothing_and_everything_leave_no_room_for_chance(intended: float) -> None:
    whole = 200
    assert share(round(intended * whole), [2] * 100, intended).holds(intended)
    assert not share(round(intended * whole) + (1 if intended == 0 else -1), [2] * 100, intended).holds(intended)


def test_the_tolerance_fits_what_users_who_draw_once_do() -> None:
    """σ of the observed share of requests over many simulated runs is the one that the formula says."""
    rng = random.Random(1)
    counts = [rng.randint(1, 20) for _ in range(100)]
    runs = [sum(count for count in counts if rng.random() < 0.2) / sum(counts) for _ in range(4000)]
    mean = sum(runs) / len(runs)
    sigma = math.sqrt(sum((run - mean) ** 2 for run in runs) / len(runs))
    assert share(0, counts, 0.2).tolerance / 4 == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (CHANGE.asked - 0.01, 0.02),  # on its way while the weight changed
        (CHANGE.done + 0.049, 0.001),  # within the grace
        (11.9, 0.2),  # answered after the next change was asked for
    ],
)
def test_an_answer_that_may_belong_to_another_weight_is_not_held_against_this_one(sent: float, taken: float) -> None:
    settled = [answer(1, "stable"), answer(2, "canary")]
    step, after = measure(CHANGE, 12.0, [*settled, answer(1, "canary", sent, taken)], {})
    assert not step.switches.wrong
    assert step.user_share.observed == step.request_share.observed == 0.5
    assert after[1] == Seen("stable", 50)
    assert step.requests == 3


def test_failures_count_wherever_they_fall_and_say_who_failed() -> None:
    answers = [
        answer(1, "stable"),
        answer(2, "canary"),
        answer(2, "canary", sent=CHANGE.asked, failure="status 502"),
        answer(1, "", failure="TimeoutError: "),
    ]
    step, _ = measure(CHANGE, 12.0, answers, {})
    assert step.failed == 2
    assert step.failures == {"status 502, from canary": 1, "TimeoutError: , from nobody": 1}
    assert (step.speed["stable"].failed, step.speed["canary"].failed) == (0, 1)
    assert step.speed["canary"].requests == 1


def test_rate_and_speed() -> None:
    answers = [answer(user, "canary", AFTER_GRACE, taken=user / 1000) for user in range(1, 101)]
    step, _ = measure(Change(100, 10.0, 10.01), 12.0, answers, {})
    assert step.rps == 50
    speed = step.speed["canary"]
    assert (speed.p50, speed.p95, speed.p99) == pytest.approx((0.050, 0.095, 0.099))
    assert step.speed["stable"].p50 is None
    assert step.problems() == []


def test_every_problem_is_named() -> None:
    answers = [answer(1, "stable"), answer(1, "canary"), answer(2, "stable", failure="status 500")]
    step, _ = measure(Change(0, 10.0, 10.01), 12.0, answers, {})
    assert step.problems() == [
        "at 0 %: 100.0% of the users were on canary, outside 0.0% ± 0.0%",
        "at 0 %: 50.0% of the requests were on canary, outside 0.0% ± 0.0%",
        "at 0 %: 1 requests failed: status 500, from stable",
        "at 0 %: 1 users switched sides without reason",
    ]


def test_a_step_without_answers_is_a_problem() -> None:
    step, after = measure(CHANGE, 12.0, [], {7: Seen("stable", 10)})
    assert step.problems() == ["at 50 %: no user got an answer"]
    assert after == {7: Seen("stable", 10)}
    assert step.user_share == Share(0.0, 1.0)


def test_users_and_router_must_count_the_same() -> None:
    answers = [answer(1, "stable"), answer(2, "canary"), answer(2, "canary", failure="status 500")]
    nobody = Answer(3, AFTER_GRACE, 11.0, 0, "", "ConnectionResetError: ")
    seen = count([*answers, nobody])
    assert seen == {"stable": 1, "canary": 2}
    assert Outcome([], seen, seen).problems() == []
    assert Outcome([], seen, {"stable": 1, "canary": 3}).problems() == [
        "users got 2 answers from canary, but the router counted 3"
    ]

"""Who switched sides, for every direction in which a weight can go."""

from __future__ import annotations

import pytest

from router.demo.sides import Answer, Seen, follow


def answer(user: int, arm: str) -> Answer:
    return Answer(user, 10.0, 10.1, 200, arm, "")


@pytest.mark.parametrize(
    ("seen", "percent", "arms", "moved", "wrong"),
    [
        (None, 10, ["canary", "canary"], False, False),
        (None, 10, ["stable", "canary"], False, True),
        (Seen("stable", 0), 10, ["canary"], True, False),
        (Seen("stable", 0), 10, ["canary", "stable"], True, True),
        (Seen("stable", 0), 10, ["stable", "canary"], False, True),
        (Seen("canary", 10), 50, ["stable"], False, True),
        (Seen("canary", 100), 0, ["stable"], True, False),
        (Seen("stable", 50), 10, ["canary"], False, True),
        (Seen("stable", 50), 50, ["canary"], False, True),
        # Away while it was raised and lowered again: only the weights at both ends matter.
        (Seen("stable", 10), 50, ["canary"], True, False),
        (Seen("canary", 50), 10, ["stable"], True, False),
    ],
)
def test_who_may_switch(seen: Seen | None, percent: float, arms: list[str], moved: bool, wrong: bool) -> None:
    before = {} if seen is None else {1: seen}
    switches, after = follow([answer(1, arm) for arm in arms], percent, before)
    assert (1 in switches.moved, 1 in switches.wrong) == (moved, wrong)
    # A wrong first switch is judged within the step from then on, so it counts once and is where it is.
    assert after == {1: Seen(arms[-1], percent)}
    assert before == ({} if seen is None else {1: seen})


def test_users_are_judged_apart() -> None:
    answers = [answer(1, "stable"), answer(2, "canary"), answer(1, "stable"), answer(2, "canary")]
    switches, _ = follow(answers, 50, {})
    assert not switches.moved
    assert not switches.wrong

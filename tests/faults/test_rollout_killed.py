"""kill -9 at random moments of a plan: the next supervisor goes on in the same step, at its weight, with its time.

For a long run: ROLLOUT_ROUNDS=100 python -m pytest --timeout 600 tests/faults/test_rollout_killed.py
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, wait_until
from tests.faults.rollouts import decisions, rollout, start
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("ROLLOUT_ROUNDS", "8"))
STEPS = 50
#: In turn long enough to lose more than a second of, and short enough that some kills hit a change of step.
HOLDS = [max(1, ROUNDS / 20) * (0.4 if number % 2 else 3.0) for number in range(STEPS)]
PLAN: dict[str, Any] = {
    "name": "killed again and again",
    "step": [{"name": f"step {number}", "percent": number / 2, "hold": HOLDS[number]} for number in range(STEPS)],
    "watch": {"for": "1h"},
    "gate": [{"metric": "errors", "max": 0.5}],
    "accept_inconclusive": True,
}
#: What a crash may cost: progress is saved every second, and a tick is 0.1 s.
COST = 1.0 + 0.2


def progress(tree: dict[str, Any]) -> float:
    """Seconds of the whole plan that have passed."""
    elapsed: float = tree["elapsed"]
    return sum(HOLDS[: tree["step"]]) + elapsed


def check(router: Router, tree: dict[str, Any]) -> None:
    """Weight, step, decisions and audit trail tell the same story."""
    assert tree.get("phase") == "running", (tree, router.text()[-2000:])
    found = decisions(router)
    assert [row["id"] for row in found] == list(range(1, len(found) + 1))
    actions = [row["action"] for row in found]
    assert actions == ["start"] + ["advance"] * (len(found) - 1)
    if len(found) - 1 == tree["step"]:  # else it went on between the two questions
        assert router.weight() in (found[-1]["percent"], found[-1]["percent"] + 0.5)
    status, text = router.ask("GET", "/api/v1/audit?limit=500")
    assert status == 200
    audited = [row["action"] for row in json.loads(text)["rows"]][::-1]
    assert len(audited) - len(actions) in (0, 1)
    assert set(audited) <= {"rollout.start", "rollout.advance"}
    assert json.loads(router.ask("GET", "/api/v1/audit/verification")[1])["intact"] is True


def test_killed_at_random_moments(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    source = random.Random(7)
    lost = []
    with (
        running_router(tmp_path, stable, canary, "[timeouts]\ndrain = 1\n", workers=1, percent=0) as router,
        running_load(router.port, kept=8, fresh=0, methods=("GET",)) as load,
    ):
        start(router, PLAN)
        for number in range(ROUNDS):
            moment = time.monotonic() + source.uniform(0, 1.2)
            wait_until(lambda until=moment: time.monotonic() >= until, "the moment has come")  # type: ignore[misc]
            before, asked = rollout(router), time.monotonic()
            if number % 2:
                router.kill_supervisor()
            else:
                router.kill_all()
            killed = time.monotonic()
            router.process = router.launch()
            launched = time.monotonic()
            router.wait_ready()
            after, told = rollout(router), time.monotonic()
            check(router, after)
            gone_on = progress(after) - progress(before)
            lost.append(-gone_on)
            assert gone_on >= -COST, (number, before, after)
            assert gone_on <= (killed - asked) + (told - launched) + 0.3, (number, before, after)
    note = f"{ROUNDS} rounds, at most {max(lost):.1f} s lost; step, weight, decisions and audit agree"
    figures.note("kill -9 during a plan, of all every other time", len(load.events), note)

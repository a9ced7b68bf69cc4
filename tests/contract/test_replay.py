"""Every recorded step against our backend, in order, each a test of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.ours import Ours
from tests.contract.replay import Outcome, replay
from tests.contract.steps import Record, Step

RECORD = Record.load()
PHASES = ("1", "3")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    folder: Path = tmp_path_factory.mktemp("contract")
    with Ours(folder) as target:
        yield {outcome.step.id: outcome for outcome in replay(RECORD, target, PHASES)}


@pytest.mark.parametrize(
    "step", [step for step in RECORD.steps if step.phase in PHASES], ids=lambda step: f"{step.phase}: {step.id}"
)
def test_step(outcomes: dict[str, Outcome], step: Step) -> None:
    outcome = outcomes[step.id]
    assert not outcome.problems, str(outcome)

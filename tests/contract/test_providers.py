"""Phase 2 of the record: the playground against providers that answer only what the Go backend was seen to send them.

The stand-in compares method, address, headers and body of each request with the record and answers 404 to any other, so
a step passes only if both sides of the backend are as recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.ours import Ours
from tests.contract.replay import Outcome, replay
from tests.contract.steps import Record, Step
from tests.standins.providers import running_providers

RECORD = Record.load()
STEPS = [step for step in RECORD.steps if step.phase == "2"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    folder: Path = tmp_path_factory.mktemp("contract")
    with running_providers() as providers, Ours(folder, providers.environment()) as target:
        yield {outcome.step.id: outcome for outcome in replay(RECORD, target, ["2"])}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_step(outcomes: dict[str, Outcome], step: Step) -> None:
    outcome = outcomes[step.id]
    assert not outcome.problems, str(outcome)

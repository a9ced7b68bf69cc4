"""The recorded steps about spans, against our backend on the file that the Go backend left, its log included."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.processes import BackendProcess, running_backend
from tests.contract.compare import differences
from tests.contract.replay import send
from tests.contract.steps import RECORD as FOLDER
from tests.contract.steps import Record, Step

RECORD = Record.load()
STEPS = [step for step in RECORD.steps if step.phase == "1" and step.request.path.startswith("/otel")]
EMPTY = [step for step in STEPS if step.id.startswith("no spans yet")]
#: Steps between the two ingestions ask for the first service alone.
FULL = [step for step in STEPS if step not in EMPTY and not step.id.startswith("unauthenticated")]


@pytest.fixture(scope="module")
def on_gos_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    folder: Path = tmp_path_factory.mktemp("otel")
    (folder / "duckdb").mkdir()
    for name in ("otel_data.db", "otel_data.db.wal"):
        shutil.copyfile(FOLDER / name, folder / "duckdb" / name)
    with running_backend(folder, JUNJO_SESSION_SECRET=RECORD.secret) as backend:
        yield backend


@pytest.fixture(scope="module")
def on_an_empty_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    with running_backend(tmp_path_factory.mktemp("empty"), JUNJO_SESSION_SECRET=RECORD.secret) as backend:
        yield backend


@pytest.mark.parametrize("step", FULL, ids=lambda step: step.id)
def test_step(on_gos_file: BackendProcess, step: Step) -> None:
    _same(on_gos_file, step)


@pytest.mark.parametrize("step", EMPTY, ids=lambda step: step.id)
def test_step_without_spans(on_an_empty_file: BackendProcess, step: Step) -> None:
    _same(on_an_empty_file, step)


def _same(backend: BackendProcess, step: Step) -> None:
    sessions = RECORD.sessions()
    got = send(backend.url, step.request, {**sessions, "session": sessions["made_here"]})
    assert not list(differences(step.response, got, step.volatile, step.unordered))

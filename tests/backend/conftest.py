"""A real backend for the tests that ask for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.processes import BackendProcess, running_backend


@pytest.fixture(scope="module")
def backend_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    """`python -m backend` with empty databases; one for the tests of a module, in development mode."""
    folder: Path = tmp_path_factory.mktemp("backend")
    with running_backend(folder) as backend:
        yield backend

"""One stable and one canary upstream for the whole run, and the table of figures at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.figures import Figures
from tests.faults.processes import Upstream, running_upstream

_KEPT = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_KEPT] = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[_KEPT]
    if figures.rows:
        terminalreporter.section("faults: what clients saw (failed requests)")
        for line in figures.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    return pytestconfig.stash[_KEPT]


@pytest.fixture(scope="session")
def stable() -> Iterator[Upstream]:
    """Behaves well and lives on; a case that kills its stable starts its own."""
    with running_upstream("stable") as upstream:
        yield upstream


@pytest.fixture(scope="session")
def canary() -> Iterator[Upstream]:
    with running_upstream("canary") as upstream:
        yield upstream

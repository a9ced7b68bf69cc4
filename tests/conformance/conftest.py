"""Session-wide upstreams and router of the conformance cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Upstream


@pytest.fixture(scope="session")
def stable() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.shut()


@pytest.fixture(scope="session")
def canary() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.shut()


@pytest.fixture(scope="session")
def router(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    """The router with default settings; cases with others start their own."""
    with running_router(tmp_path_factory.mktemp("router"), stable, canary) as running:
        yield running


@pytest.fixture(autouse=True)
def finished(stable: Upstream, canary: Upstream) -> Iterator[None]:
    """A case that failed half-way leaves no script waiting and no connection for the next one."""
    yield
    stable.finish()
    canary.finish()

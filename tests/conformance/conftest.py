"""Session-wide upstreams and router of the conformance cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Upstream

StartRouter = Callable[..., AbstractContextManager[Router]]


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path

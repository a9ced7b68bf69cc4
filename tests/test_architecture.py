"""Imports point one way: those of both products against architecture.md's table; and no file is long."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PRODUCTS = ("router", "backend")
MAX_LINES = 400

#: Modules that know only what they are given.
PURE = re.compile(
    r"router\.(wire|split|shadow|verify\.(cases|order|page)|rollout(?!\.driver))(\.|$)"
    r"|backend\.(ingest\.(attributes|decode|rows|stored)|auth\.cookie)$"
)
#: What such modules may not know: loops, sockets, files, databases, clocks, chance.
IMPURE = re.compile(
    r"(asyncio|concurrent|ctypes|datetime|fcntl|io|mmap|multiprocessing|os|pathlib|random|secrets|select|selectors"
    r"|shutil|signal|socket|sqlite3|ssl|subprocess|tempfile|threading|time"
    r"|aiosqlite|anyio|duckdb|grpc|httptools|httpx|litellm|loguru|starlette|uvicorn|uvloop)$"
)
#: Libraries that one place of a product wraps for everyone else.
ONLY_IN = {
    "httptools": r"router\.proxy\.",
    "starlette": r"router\.admin(\.|$)|backend\.app$|backend\..*\broutes$",
    "aiosqlite": r"router\.store$|backend\.sqlite$",
    "sqlite3": r"router\.store$|backend\.sqlite$",
    "duckdb": r"backend\.duckfile$",
    "grpc": r"backend\.rpc(\.|$)",
    "litellm": r"backend\.llm\.gateway$",
}
#: Loaded on first use, for the seconds and the memory that they take.
LAZY = frozenset(("litellm",))
FEATURES = frozenset(("auth", "users", "api_keys", "otel", "llm", "health", "admin"))


class Import(NamedTuple):
    """`module` (a dotted name) imports `target`."""

    module: str
    target: str
    at_top: bool


def imports(module: str, is_package: bool, source: str) -> Iterator[tuple[int, Import]]:
    """Every import of a module, wherever in it, with its line; relative ones as absolute names."""
    tree = ast.parse(source)
    top = set(map(id, tree.body))
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        at_top = id(node) in top
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, Import(module, name.name, at_top)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                yield node.lineno, Import(module, f"{start}.{name.name}", at_top)


def objection(found: Import) -> str | None:
    """Why an import may not be, or None."""
    module, target = found.module, found.target
    library = target.split(".")[0]
    if PURE.match(module) and IMPURE.match(library):
        return f"{module} is pure and imports {library}"
    if library in ONLY_IN and not re.match(ONLY_IN[library], module):
        return f"{module} imports {library}, which only {ONLY_IN[library]} may"
    if library in LAZY and found.at_top:
        return f"{library} is imported at the top of {module}, not on first use"
    product = module.split(".")[0]
    if library in PRODUCTS and library != product:
        return f"{product} imports {library}"
    if product == library == "backend":
        mine, other = (name.split(".")[1:2] for name in (module, target))
        if mine != other and FEATURES.issuperset(mine) and FEATURES.issuperset(other) and mine and other:
            return f"feature {mine[0]} imports feature {other[0]}"
    return None


def files() -> Iterator[Path]:
    for product in PRODUCTS:
        for path in sorted((ROOT / product).rglob("*.py")):
            if "pb" not in path.parts:  # generated
                yield path.relative_to(ROOT)


def test_imports_point_one_way() -> None:
    found = []
    for path in files():
        is_package = path.name == "__init__.py"
        module = ".".join((path.parent if is_package else path.with_suffix("")).parts)
        for line, each in imports(module, is_package, (ROOT / path).read_text()):
            if why := objection(each):
                found.append(f"{path}:{line}: {why}")
    assert not found, "\n".join(found)


def test_no_file_is_long() -> None:
    lengths = {path: (ROOT / path).read_text().count("\n") for path in files()}
    long = [f"{path}:{MAX_LINES + 1}: {length} lines" for path, length in lengths.items() if length > MAX_LINES]
    assert lengths
    assert not long, "\n".join(long)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("router.wire.body", "import asyncio"),
        ("router.wire.body", "def f():\n    from time import monotonic"),
        ("router.rollout.machine", "import sqlite3"),
        ("router.shadow.compare", "import httpx"),
        ("router.split", "from os import urandom"),
        ("router.fleet", "import httptools"),
        ("router.proxy.core", "from starlette.requests import Request"),
        ("router.control", "import aiosqlite"),
        ("router.cli", "from backend import app"),
        ("router.cli", "from ..backend.app import build"),
        ("backend.users.service", "from ..auth.cookie import seal"),
        ("backend.users.service", "from .. import auth"),
        ("backend.users.service", "from starlette.requests import Request"),
        ("backend.llm.gateway", "import litellm"),
        ("backend.otel.repo", "import duckdb"),
    ],
)
def test_what_is_wrong_is_seen(module: str, source: str) -> None:
    """The table catches one breach of each kind; without this it could match nothing and nobody would know."""
    assert [each for _, each in imports(module, False, source) if objection(each)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("router.rollout.driver", "import asyncio"),
        ("router.proxy.downstream", "import httptools"),
        ("backend.users.routes", "from starlette.routing import Route\nfrom .service import Users"),
        ("backend.llm.gateway", "def load():\n    import litellm"),
        ("backend.app", "from .auth import routes"),
        ("router.wire.request", "from ..errors import RequestError"),
    ],
)
def test_what_is_right_passes(module: str, source: str) -> None:
    assert not [each for _, each in imports(module, False, source) if objection(each)]

"""Files go back and forth between us and DuckDB 1.1.3, the Go backend's, killed or not: nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.duck import Duck
from tests.backend.go_duckdb import GoDuckdb, install
from tests.backend.spanrows import insert, patch, span
from tests.contract.steps import RECORD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

#: Uses the indexes and the keys, which a format that isn't understood breaks first.
CHECK = (
    "SELECT count(*), count(DISTINCT span_id), (SELECT count(*) FROM state_patches), "
    "(SELECT count(*) FROM spans WHERE trace_id = repeat('a', 32)) FROM spans"
)
GO_WRITES = (
    "INSERT INTO spans (trace_id, span_id, service_name, start_time, end_time, attributes_json) "
    "SELECT 'go', 'go' || x, 'shop', make_timestamptz(x), make_timestamptz(x), '[1]' FROM range({}, {}) AS t(x)"
)
OURS_KILLED = """
import asyncio, os, pathlib, signal, sys
from backend.duck import Duck
from tests.backend.spanrows import insert, patch, span
async def main():
    duck = Duck()
    await duck.open(pathlib.Path(sys.argv[1]))
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        await insert(duck, [span(number)], [patch(number, span_id=f"{number:016x}")])
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def go() -> GoDuckdb:
    found = install()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def ours_writes(path: Path, first: int, end: int) -> None:
    async def write() -> None:
        async with Duck() as duck:
            await duck.open(path)
            spans = [span(number) for number in range(first, end)]
            await insert(duck, spans, [patch(number, span_id=f"{number:016x}") for number in range(first, end)])

    asyncio.run(write())


def ours_writes_and_is_killed(path: Path, first: int, end: int) -> None:
    done = subprocess.run([sys.executable, "-c", OURS_KILLED, str(path), str(first), str(end)], timeout=60)
    assert done.returncode == -9
    assert path.with_name(path.name + ".wal").stat().st_size > 0


def ours_counts(path: Path, trace: str) -> int:
    async def read() -> int:
        async with Duck() as duck:
            await duck.open(path)
            return len(await duck.read("trace_spans", {"trace": trace}))

    return asyncio.run(read())


def test_ours_closed_then_gos(tmp_path: Path, go: GoDuckdb) -> None:
    path = tmp_path / "otel_data.db"
    ours_writes(path, 0, 3000)
    assert go.run(path, CHECK) == [[3000, 3000, 3000, 3000]]
    assert go.run(path, GO_WRITES.format(0, 500), CHECK) == [[3500, 3500, 3000, 3000]]
    assert ours_counts(path, "go") == 500


def test_ours_killed_then_gos(tmp_path: Path, go: GoDuckdb) -> None:
    path = tmp_path / "otel_data.db"
    ours_writes_and_is_killed(path, 0, 200)
    assert go.run(path, CHECK) == [[200, 200, 200, 200]]


def test_back_and_forth_each_killed(tmp_path: Path, go: GoDuckdb) -> None:
    path = tmp_path / "otel_data.db"
    ours_writes_and_is_killed(path, 0, 100)
    go.run(path, GO_WRITES.format(0, 100), killed=True)
    ours_writes_and_is_killed(path, 100, 200)
    go.run(path, GO_WRITES.format(100, 200), killed=True)
    assert ours_counts(path, "go") == 200
    assert go.run(path, CHECK) == [[400, 400, 200, 200]]


def test_gos_file_with_its_log_and_back(tmp_path: Path, go: GoDuckdb) -> None:
    """The record's file, written by the Go backend itself."""
    for name in ("otel_data.db", "otel_data.db.wal"):
        shutil.copyfile(RECORD / name, tmp_path / name)
    path = tmp_path / "otel_data.db"
    ours_writes_and_is_killed(path, 1000, 1100)
    assert go.run(path, CHECK) == [[121, 121, 102, 100]]
    ours_writes(path, 1100, 1200)
    assert go.run(path, CHECK) == [[221, 221, 202, 200]]


def test_gos_keys_hold_in_our_file(tmp_path: Path, go: GoDuckdb) -> None:
    path = tmp_path / "otel_data.db"
    ours_writes(path, 0, 10)
    twice = "INSERT OR IGNORE INTO spans SELECT * FROM spans"
    assert go.run(path, twice, CHECK) == [[10, 10, 10, 10]]
    orphan = "INSERT INTO state_patches VALUES ('new', 's', 'none', 'none', '', '', now(), '[]', '')"
    with pytest.raises(AssertionError, match="foreign key"):
        go.run(path, orphan)

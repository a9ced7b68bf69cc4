"""Real DuckDB files: what others may do meanwhile, and what a file is after it changed hands."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from backend import duck as duck_module
from backend import duckfile
from backend.config import load
from backend.duck import Duck, HeldError, RefusedError, Transaction
from backend.duckfile import READERS
from backend.errors import DatabaseBusyError, DatabaseError, StartError
from backend.ingest.ownership import Role, open_spans
from backend.sqlfiles import statement
from tests.backend.spanrows import columns, insert, patch, span

RECORD = Path(__file__).parents[1] / "contract" / "record"
TRACE = {"trace": "a" * 32}
HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
async def duck(tmp_path: Path) -> AsyncIterator[Duck]:
    async with Duck() as duck:
        await duck.open(tmp_path / "otel_data.db")
        yield duck


@contextmanager
def held_by_another_process(path: Path, sql: str = "SELECT 1") -> Iterator[int]:
    """Its process id; it has run `sql`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), sql], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.kill()


async def count(duck: Duck) -> int:
    return len(await duck.read("trace_spans", TRACE))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement named `slow`, that runs for minutes if nobody interrupts it."""
    text = "SELECT count(*) FROM range(4000000000) AS a(x) WHERE x % 7 = 8"
    monkeypatch.setattr("backend.duckfile.statement", lambda name: text if name == "slow" else statement(name))


def test_the_schema_is_that_of_the_record(tmp_path: Path) -> None:
    """In a process of its own, as two files named otel_data can't be open in one."""
    script = """
import asyncio, json, pathlib, sys, duckdb
from backend.duck import Duck
async def make():
    async with Duck() as duck:
        await duck.open(pathlib.Path(sys.argv[1]))
asyncio.run(make())
with duckdb.connect(sys.argv[1]) as file:
    ask = lambda sql: file.execute(sql).fetchall()
    print(json.dumps({table: {
        "columns": [list(row) for row in ask(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            f"WHERE table_name = '{table}' ORDER BY ordinal_position")],
        "indexes": [list(row) for row in ask(
            f"SELECT index_name, expressions FROM duckdb_indexes() WHERE table_name = '{table}' ORDER BY index_name")],
        "constraints": sorted(text for text, in ask(
            f"SELECT constraint_text FROM duckdb_constraints() WHERE table_name = '{table}'") if "KEY" in text),
    } for table in ("spans", "state_patches")}))
"""
    path = tmp_path / "otel_data.db"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    expected = json.loads((RECORD / "schema.json").read_text())["duckdb"]
    found = json.loads(done.stdout)
    for table in expected.values():
        table["constraints"] = sorted(table["constraints"])
    assert found == expected


async def test_gos_file_is_opened_with_its_log(tmp_path: Path) -> None:
    for name in ("otel_data.db", "otel_data.db.wal"):
        shutil.copyfile(RECORD / name, tmp_path / name)
    async with Duck() as duck:
        await duck.open(tmp_path / "otel_data.db")
        assert await duck.read("service_names") == [(b'["billing","shop"]',)]
    assert not (tmp_path / "otel_data.db.wal").exists()


async def test_a_transaction_is_whole(duck: Duck) -> None:
    await insert(duck, [span(1), span(2)], [patch(1)])

    def half(transaction: Transaction) -> None:
        transaction.run("spans_insert", columns([span(3)]))
        raise LookupError

    with pytest.raises(LookupError):
        await duck.transaction(half)
    assert await count(duck) == 2
    await insert(duck, [span(2, name="again"), span(4)])
    assert await count(duck) == 3


@pytest.mark.parametrize(
    ("spans", "patches"),
    [
        ([span(1), span(2, attributes_json="not JSON")], []),
        ([span(1), span(2, service_name=None)], []),
        ([span(1)], [patch(1, span_id="of no span")]),
    ],
)
async def test_rows_that_cannot_be_stored(
    duck: Duck, spans: list[dict[str, object]], patches: list[dict[str, object]]
) -> None:
    with pytest.raises(RefusedError):
        await insert(duck, spans, patches)
    assert await count(duck) == 0
    await insert(duck, [span(3)])


async def test_a_failed_commit_leaves_the_writer_usable(duck: Duck) -> None:
    with pytest.raises(DatabaseError):
        await duck.transaction(lambda transaction: transaction.run("goose_version"))
    await insert(duck, [span(1)])
    assert await count(duck) == 1


async def test_reads_go_on_while_a_transaction_is_open(duck: Duck) -> None:
    await insert(duck, [span(1)])
    inside, leave = threading.Event(), threading.Event()

    def work(transaction: Transaction) -> None:
        transaction.run("spans_insert", columns([span(2)]))
        inside.set()
        assert leave.wait(30)

    writing = asyncio.create_task(duck.transaction(work))
    await asyncio.to_thread(inside.wait, 30)
    assert [await count(duck) for _ in range(2 * READERS)] == [1] * 2 * READERS
    leave.set()
    await writing
    assert await count(duck) == 2


async def test_readers_see_whole_batches_only(duck: Duck) -> None:
    async def write() -> None:
        for batch in range(10):
            await insert(duck, [span(100 * batch + number) for number in range(100)])

    writing = asyncio.create_task(write())
    seen = []
    while not writing.done():
        seen += await asyncio.gather(*(count(duck) for _ in range(READERS)))
    await writing
    assert all(number % 100 == 0 for number in seen)
    assert await count(duck) == 1000


async def test_a_slow_query_stops_nobody(duck: Duck, slow: None) -> None:
    blocked = [asyncio.create_task(duck.read("slow")) for _ in range(READERS - 1)]
    await asyncio.sleep(0)
    assert await count(duck) == 0
    await insert(duck, [span(1)])
    assert await count(duck) == 1
    assert not any(task.done() for task in blocked)
    for task in blocked:
        task.cancel()
    await asyncio.gather(*blocked, return_exceptions=True)
    # Cancelled, they give their connections back.
    assert await asyncio.gather(*(count(duck) for _ in range(3 * READERS))) == [1] * 3 * READERS


async def test_a_query_has_a_time_limit(duck: Duck, slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckfile, "QUERY_TIME", 0.05)
    with pytest.raises(DatabaseBusyError, match="took longer"):
        await duck.read("slow")
    assert await count(duck) == 0


async def test_who_finds_no_free_connection_is_told(duck: Duck, slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck_module, "WAIT", 0.05)
    blocked = [asyncio.create_task(duck.read("slow")) for _ in range(READERS)]
    await asyncio.sleep(0)
    with pytest.raises(DatabaseBusyError, match="slow queries"):
        await duck.read("service_names")
    for task in blocked:
        task.cancel()
    await asyncio.gather(*blocked, return_exceptions=True)


async def test_requests_wait_while_the_file_changes(duck: Duck, tmp_path: Path, slow: None) -> None:
    """Also the one that is under way: it is interrupted, and asked again of the next file."""
    await insert(duck, [span(1)])
    under_way = asyncio.create_task(duck.read("slow"))
    await asyncio.sleep(0)
    started = monotonic()
    await duck.close()
    assert monotonic() - started < 5
    waiting = [asyncio.create_task(count(duck)) for _ in range(3 * READERS)]
    writing = asyncio.create_task(insert(duck, [span(2), span(3)]))
    await asyncio.sleep(0)
    with held_by_another_process(tmp_path / "otel_data.db"):
        pass
    await duck.open(tmp_path / "replica" / "otel_data.db")
    await writing
    assert set(await asyncio.gather(*waiting)) <= {0, 2}
    assert not under_way.done()
    under_way.cancel()
    await duck.close()
    await duck.open(tmp_path / "otel_data.db")
    assert await count(duck) == 1


async def test_without_a_file_requests_wait_no_longer_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck_module, "WAIT", 0.05)
    async with Duck() as duck:
        with pytest.raises(DatabaseBusyError, match="changing hands"):
            await duck.read("service_names")


async def test_a_cancelled_transaction_still_commits(duck: Duck) -> None:
    """So that nobody has to guess: what was begun is either there or failed, never half."""
    writing = asyncio.create_task(insert(duck, [span(1)]))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await duck.checkpoint()
    assert await count(duck) == 1


@pytest.mark.parametrize(("role", "found"), [("auto", Role.FOLLOWER), ("follower", Role.FOLLOWER), ("owner", None)])
async def test_a_held_file(tmp_path: Path, role: str, found: Role | None) -> None:
    path = tmp_path / "otel_data.db"
    environment = {"DUCKDB_PATH": str(path), "CUTOVER_DUCKDB_ROLE": role, "JUNJO_SESSION_SECRET": "x"}
    with held_by_another_process(path) as pid:
        async with Duck() as duck:
            if found is None:
                with pytest.raises(HeldError, match=rf"process {pid}\b.*CUTOVER_DUCKDB_ROLE=follower"):
                    await open_spans(duck, load({}, environment))
            else:
                assert (await open_spans(duck, load({}, environment))).role is found
                assert (tmp_path / "cutover_replica" / "otel_data.db").exists()
                assert await count(duck) == 0


async def test_a_free_file_is_owned(tmp_path: Path) -> None:
    settings = load({}, {"DUCKDB_PATH": str(tmp_path / "otel_data.db"), "JUNJO_SESSION_SECRET": "x"})
    async with Duck() as duck:
        assert (await open_spans(duck, settings)).role is Role.OWNER
        assert not settings.replica_path.exists()


async def test_files_that_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database at all, but quite long")
    with held_by_another_process(tmp_path / "other.db", "CREATE TABLE t (a INT)"):
        pass
    async with Duck() as duck:
        with pytest.raises(StartError, match="can't be opened"):
            await duck.open(tmp_path / "text.db")
        with pytest.raises(StartError, match="database of something else"):
            await duck.open(tmp_path / "other.db")
        await duck.open(tmp_path / "otel_data.db")

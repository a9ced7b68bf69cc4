"""The indexer on a real file: rows as recorded, once each, with the cursor; bad spans aside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from backend.duck import Duck, Transaction
from backend.errors import DatabaseError
from backend.ingest import indexer as module
from backend.ingest.batch import Batch
from backend.ingest.indexer import Indexer
from backend.ingest.progress import Progress
from backend.ingest.stored import Stored
from tests.backend.ingest.spans import RECORD, event, recorded, stored
from tests.backend.spanrows import insert, patch, span

ROWS = json.loads((RECORD / "rows.json").read_text())


@pytest.fixture
async def duck(tmp_path: Path) -> AsyncIterator[Duck]:
    async with Duck() as duck:
        await duck.open(tmp_path / "otel_data.db")
        yield duck


def indexer(duck: Duck, start: bytes = b"") -> Indexer:
    return Indexer(duck, Progress(), start=start)


async def rows(duck: Duck, table: str) -> list[dict[str, Any]]:
    """All rows of a table, as text as in the record."""

    def work(transaction: Any) -> Any:
        result = transaction._connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {table} ORDER BY ALL")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    found: list[dict[str, Any]] = await duck.transaction(work)
    return found


async def cursor(duck: Duck) -> bytes:
    ((key,),) = await duck.read("cursor")
    return bytes(key)


def with_patch(number: int, **fields: Any) -> Stored:
    change = event("set_state", {"junjo.state_json_patch": "[]", "junjo.store.id": "s"})
    entry = stored({"n": number}, span_id=bytes(7) + bytes([number]), events=[change], **fields)
    return entry._replace(key=bytes(15) + bytes([number]))


async def test_the_recorded_rows(duck: Duck) -> None:
    sink = indexer(duck)
    await sink.store(recorded())
    key = itemgetter("trace_id", "span_id")
    assert sorted(await rows(duck, "spans"), key=key) == sorted(ROWS["spans"], key=key)
    patches, expected = (
        [{name: text for name, text in row.items() if name != "patch_id"} for row in sorted(found, key=key)]
        for found in (await rows(duck, "state_patches"), ROWS["state_patches"])
    )
    assert patches == expected
    assert sink.cursor() == await cursor(duck) == recorded()[-1].key


async def test_a_second_time_changes_nothing(duck: Duck) -> None:
    entries = [with_patch(number) for number in range(1, 6)]
    await indexer(duck).store(entries)
    before = await rows(duck, "spans"), await rows(duck, "state_patches")
    again = indexer(duck)
    await again.store(entries)
    await again.store(entries[1:3])
    assert (await rows(duck, "spans"), await rows(duck, "state_patches")) == before
    assert len(before[1]) == 5


async def test_the_cursor_never_goes_back(duck: Duck) -> None:
    entries = [with_patch(number) for number in range(1, 6)]
    sink = indexer(duck)
    await sink.store(entries[2:])
    await sink.store(entries[:2])
    assert sink.cursor() == await cursor(duck) == entries[-1].key
    assert len(await rows(duck, "spans")) == 5


async def test_patches_of_a_span_that_go_stored_are_not_doubled(duck: Duck) -> None:
    """Go's patches have ids by chance."""
    entry = with_patch(1)
    await insert(duck, [span(1, trace_id="0" * 31 + "1")], [patch(7, trace_id="0" * 31 + "1", patch_id="by chance")])
    await indexer(duck).store([entry, with_patch(2)])
    assert len(await rows(duck, "spans")) == 2
    assert {row["patch_id"] for row in await rows(duck, "state_patches")} > {"by chance"}
    assert len(await rows(duck, "state_patches")) == 2


async def test_of_two_spans_with_the_same_ids_the_first_stays(duck: Duck) -> None:
    first, second = with_patch(1, name="first"), with_patch(1, name="second")._replace(key=b"l" * 16)
    await indexer(duck).store([first, second])
    assert [row["name"] for row in await rows(duck, "spans")] == ["first"]
    assert len(await rows(duck, "state_patches")) == 1


async def test_bad_spans_are_put_aside_with_the_reason_once(duck: Duck) -> None:
    bad = Stored(bytes(15) + b"\x02", b"\xff", b"")
    progress = Progress()
    sink = Indexer(duck, progress, start=b"", clock=lambda: 1_760_000_000.0)
    await sink.store([with_patch(1), bad, with_patch(3)])
    await sink.store([bad])
    assert await duck.read("quarantine_list", {"most": 10}) == [
        (bad.key.hex(), "the span's bytes are no OTLP span", 1, "2025-10-09T08:53:20Z")
    ]
    assert (progress.indexed, progress.quarantined) == (2, 1)
    assert sink.cursor() == with_patch(3).key


async def test_what_only_duckdb_refuses_is_found_among_the_good(duck: Duck, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [with_patch(number, name="refused" if number == 6 else "") for number in range(1, 10)]
    whole = module.write

    def write(transaction: Transaction, batch: Batch, now: int) -> tuple[int, int]:
        if any(row.name == "refused" for row in batch.spans.values()):
            transaction.run("cursor_move", {"key": "no blob \\"})
        return whole(transaction, batch, now)

    monkeypatch.setattr(module, "write", write)
    sink = indexer(duck)
    await sink.store(entries)
    assert len(await rows(duck, "spans")) == 8
    ((key, reason, _, _),) = await duck.read("quarantine_list", {"most": 10})
    assert key == entries[5].key.hex()
    assert reason.startswith("the database refuses it: ")
    assert await cursor(duck) == entries[-1].key


async def test_a_failed_commit_leaves_nothing(duck: Duck, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> tuple[int, int]:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(module, "write", fail)
    moved: list[bytes] = []
    sink = Indexer(duck, Progress(), start=b"", moved=moved.append)
    with pytest.raises(DatabaseError, match="full"):
        await sink.store([with_patch(1)])
    assert (sink.cursor(), await cursor(duck), moved) == (b"", b"", [])

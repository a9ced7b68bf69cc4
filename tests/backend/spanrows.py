"""Rows of the tables `spans` and `state_patches` for tests, and their way into a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.duck import Duck, Transaction

#: 2025-10-09T08:53:20Z in microseconds.
START = 1_760_000_000_000_000

_SPAN: dict[str, Any] = {
    "trace_id": "a" * 32,
    "span_id": f"{1:016x}",
    "parent_span_id": None,
    "service_name": "shop",
    "name": "",
    "kind": "CLIENT",
    "start_time": START,
    "end_time": START + 1,
    "status_code": "",
    "status_message": "",
    "attributes_json": "{}",
    "events_json": "[]",
    "links_json": "[]",
    "trace_flags": 1,
    "trace_state": None,
    "junjo_id": "",
    "junjo_parent_id": "",
    "junjo_span_type": "",
    "junjo_wf_state_start": "{}",
    "junjo_wf_state_end": "{}",
    "junjo_wf_graph_structure": "{}",
    "junjo_wf_store_id": "",
}

_PATCH: dict[str, Any] = {
    "patch_id": "p",
    "service_name": "shop",
    "trace_id": "a" * 32,
    "span_id": f"{1:016x}",
    "workflow_id": "wf",
    "node_id": "",
    "event_time": START,
    "patch_json": "[]",
    "patch_store_id": "store",
}


def span(number: int = 1, **columns: Any) -> dict[str, Any]:
    """A row of `spans` as Go's decoder makes it of a bare span, with the id `number` and the given columns."""
    return _SPAN | {"span_id": f"{number:016x}"} | columns


def patch(number: int = 1, **columns: Any) -> dict[str, Any]:
    return _PATCH | {"patch_id": str(number)} | columns


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """One list a column, as the inserts take them."""
    return {name: [row[name] for row in rows] for name in rows[0]}


async def insert(duck: Duck, spans: Sequence[Mapping[str, Any]], patches: Sequence[Mapping[str, Any]] = ()) -> None:
    """In one transaction."""

    def work(transaction: Transaction) -> None:
        transaction.run("spans_insert", columns(spans))
        if patches:
            transaction.run("state_patches_insert", columns(patches))

    await duck.transaction(work)

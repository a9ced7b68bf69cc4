"""The rows that a span becomes: the columns of the tables `spans` and `state_patches` in their order."""

from __future__ import annotations

from typing import NamedTuple


class SpanRow(NamedTuple):
    """A row of `spans`, in the order of its columns. Times are microseconds since 1970, rounded down."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    service_name: str
    name: str
    kind: str
    start_time: int
    end_time: int
    status_code: str
    status_message: str
    attributes_json: str
    events_json: str
    links_json: str
    trace_flags: int
    trace_state: str | None
    junjo_id: str
    junjo_parent_id: str
    junjo_span_type: str
    junjo_wf_state_start: str
    junjo_wf_state_end: str
    junjo_wf_graph_structure: str
    junjo_wf_store_id: str


class PatchRow(NamedTuple):
    """A row of `state_patches`, in the order of its columns. `event_time` as the times of a span."""

    patch_id: str
    service_name: str
    trace_id: str
    span_id: str
    workflow_id: str
    node_id: str
    event_time: int
    patch_json: str
    patch_store_id: str


class Rows(NamedTuple):
    """All that one stored span becomes."""

    span: SpanRow
    patches: list[PatchRow]

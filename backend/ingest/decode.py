"""OTLP bytes → rows of the tables `spans` and `state_patches`, as the Go backend stored them; pure.

What looks odd here is what stored rows already hold: the kind names are shifted by one, links are never kept, a
workflow without a store id has `{}` for one. Two things differ from Go and are wanted (docs/backend.md): the service
name is that of the span's own resource, and patch ids follow from their place instead of chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ..errors import BadSpanError
from .attributes import add, to_dict, to_json
from .rows import PatchRow, Rows, SpanRow
from .stored import Stored

#: OTLP says 1 INTERNAL, 2 SERVER, 3 CLIENT; Go's table says this.
_KINDS = {1: "CLIENT", 2: "SERVER", 3: "INTERNAL", 4: "PRODUCER", 5: "CONSUMER"}
_ID, _PARENT_ID, _TYPE = "junjo.id", "junjo.parent_id", "junjo.span_type"
_STATE_START, _STATE_END = "junjo.workflow.state.start", "junjo.workflow.state.end"
_GRAPH, _STORE_ID = "junjo.workflow.graph_structure", "junjo.workflow.store.id"
#: Attributes with columns of their own, and two that Go drops; none of them is in attributes_json.
_TAKEN_OUT = frozenset(
    (_ID, _PARENT_ID, _TYPE, _STATE_START, _STATE_END, _GRAPH, _STORE_ID, "junjo.workflow_id", "node.id")
)
_FLOWS = ("workflow", "subflow")
_NO_FLOW = {_STORE_ID: ""}
_PATCH, _PATCH_STORE_ID = "junjo.state_json_patch", "junjo.store.id"
#: The column is a 32-bit INTEGER, OTLP's field unsigned.
_FLAGS_MAX = 2**31 - 1
#: Of patch ids; any fixed value would do, a changed one would double patches that are read again.
_NAMESPACE = UUID("6f1c2a52-2d0a-4a5e-9d3c-0b7a5e1c4f10")


def decode(stored: Stored) -> Rows:
    """The rows of one span.

    Raises:
        BadSpanError: the bytes are no OTLP, or hold what the columns can't; the text says which.
    """
    service = service_name(stored.resource)
    try:
        span = Span.FromString(stored.span)
    except DecodeError:
        raise BadSpanError("the span's bytes are no OTLP span") from None
    own, attributes = _split(span)
    row = _span_row(span, service, own, to_json(attributes))
    return Rows(row, _patches(span, row))


@lru_cache(maxsize=512)
def service_name(resource: bytes) -> str:
    """The first `service.name` that is a string; Go's stand-in for none or an empty one.

    Raises:
        BadSpanError: the bytes are no OTLP resource.
    """
    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError:
        raise BadSpanError("the resource's bytes are no OTLP resource") from None
    return _first_string(attributes, "service.name", "") or "NO_SERVICE_NAME"


def _split(span: Span) -> tuple[dict[str, str], dict[str, Any]]:
    """Junjo's attributes that are strings (the first of each), and all that go into attributes_json."""
    own: dict[str, str] = {}
    others: dict[str, Any] = {}
    for attribute in span.attributes:
        key, value = attribute.key, attribute.value
        if key not in _TAKEN_OUT:
            add(others, key, value)
        elif value.WhichOneof("value") == "string_value":
            own.setdefault(key, value.string_value)
    return own, others


def _span_row(span: Span, service: str, own: dict[str, str], attributes_json: str) -> SpanRow:
    if span.flags > _FLAGS_MAX:
        raise BadSpanError(f"trace flags {span.flags:#x} don't fit the column")
    span_type = own.get(_TYPE, "")
    # Only workflows and subflows have a state; of other spans these attributes are dropped, not kept elsewhere.
    flow = own if span_type in _FLOWS else _NO_FLOW
    return SpanRow(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex() or None,
        service_name=service,
        name=span.name,
        kind=_KINDS.get(span.kind, "UNSPECIFIED"),
        start_time=_microseconds(span.start_time_unix_nano),
        end_time=_microseconds(span.end_time_unix_nano),
        status_code=_status_code(span),
        status_message=span.status.message,
        attributes_json=attributes_json,
        events_json=_events_json(span),
        links_json="[]",
        trace_flags=span.flags,
        trace_state=span.trace_state or None,
        junjo_id=own.get(_ID, ""),
        junjo_parent_id=own.get(_PARENT_ID, ""),
        junjo_span_type=span_type,
        junjo_wf_state_start=_json(flow.get(_STATE_START, "{}"), _STATE_START),
        junjo_wf_state_end=_json(flow.get(_STATE_END, "{}"), _STATE_END),
        junjo_wf_graph_structure=_json(flow.get(_GRAPH, "{}"), _GRAPH),
        junjo_wf_store_id=flow.get(_STORE_ID, "{}"),
    )


def _patches(span: Span, row: SpanRow) -> list[PatchRow]:
    workflow_id = row.junjo_id if row.junjo_span_type == "workflow" else ""
    node_id = row.junjo_id if row.junjo_span_type == "node" else ""
    return [
        PatchRow(
            patch_id=str(uuid5(_NAMESPACE, f"{row.trace_id}/{row.span_id}/{index}")),
            service_name=row.service_name,
            trace_id=row.trace_id,
            span_id=row.span_id,
            workflow_id=workflow_id,
            node_id=node_id,
            event_time=_microseconds(event.time_unix_nano),
            patch_json=_json(_first_string(event.attributes, _PATCH, "{}"), _PATCH),
            patch_store_id=_first_string(event.attributes, _PATCH_STORE_ID, ""),
        )
        for index, event in enumerate(span.events)
        if event.name == "set_state"
    ]


def _events_json(span: Span) -> str:
    if not span.events:
        return "[]"
    return to_json(
        [
            {
                "attributes": to_dict(event.attributes),
                "droppedAttributesCount": event.dropped_attributes_count,
                "name": event.name,
                "timeUnixNano": event.time_unix_nano,
            }
            for event in span.events
        ]
    )


def _status_code(span: Span) -> str:
    """The enum's name, or the number if it has none; empty for a span without a status."""
    if not span.HasField("status"):
        return ""
    code = span.status.code
    return Status.StatusCode.Name(code) if code in Status.StatusCode.values() else str(code)


def _first_string(attributes: Iterable[KeyValue], key: str, default: str) -> str:
    for attribute in attributes:
        if attribute.key == key and attribute.value.WhichOneof("value") == "string_value":
            return attribute.value.string_value
    return default


def _json(text: str, key: str) -> str:
    """`text` as it is, if it is JSON: one value that isn't would make DuckDB refuse the whole batch."""
    if text != "{}":
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadSpanError(f"{key} is not JSON: {error}") from None
    return text


def _microseconds(nanoseconds: int) -> int:
    """An unsigned 64-bit time, read as a signed one as Go does."""
    return (nanoseconds if nanoseconds < 2**63 else nanoseconds - 2**64) // 1000

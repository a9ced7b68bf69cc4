"""The decoder against the rows that the Go backend stored, and against any bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from backend.errors import BadSpanError
from backend.ingest.decode import decode
from backend.ingest.rows import PatchRow, SpanRow
from backend.ingest.stored import Stored, key_time

from .spans import RECORD, event, key_values, recorded, stored

FLOW = {"junjo.span_type": "workflow", "junjo.id": "wf"}


def as_recorded(row: SpanRow | PatchRow) -> dict[str, str | None]:
    """Every column as text, as DuckDB casts it."""
    return {
        name: _timestamp(value) if name.endswith("_time") else value if value is None else str(value)
        for name, value in row._asdict().items()
    }


def _timestamp(microseconds: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    fraction = f".{time.microsecond:06}".rstrip("0").removesuffix(".")
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction}+00"


def test_the_recorded_spans_become_the_recorded_rows() -> None:
    spans: dict[tuple[str, str], SpanRow] = {}
    patches: list[PatchRow] = []
    for rows in map(decode, recorded()):
        spans.setdefault((rows.span.trace_id, rows.span.span_id), rows.span)
        patches += rows.patches
    record = json.loads((RECORD / "rows.json").read_text())

    def key(row: dict[str, str | None]) -> tuple[str, str]:
        return f"{row['trace_id']}", f"{row['span_id']}"

    assert sorted(map(as_recorded, spans.values()), key=key) == sorted(record["spans"], key=key)
    for patch in record["state_patches"]:
        del patch["patch_id"]
    made = [{name: text for name, text in as_recorded(row).items() if name != "patch_id"} for row in patches]
    assert made == record["state_patches"]


def test_a_patch_has_the_same_id_each_time_and_no_two_share_one() -> None:
    events = [event("set_state", {}), event("note", {}), event("set_state", {}), event("set_state", {})]
    first, again = decode(stored(events=events)).patches, decode(stored(events=events)).patches
    assert first == again
    # Pinned: a release that made other ids would double the patches of spans that are read again.
    assert [patch.patch_id for patch in first] == PINNED
    other = decode(stored(events=events, span_id=b"another")).patches
    assert len({patch.patch_id for patch in first + other}) == 6


PINNED = [
    "da228635-0098-5fc7-9829-0fb72b571a12",
    "7a35a0e6-0d72-5ba8-8eaf-1e66a7b7869a",
    "7b03662c-81ae-5e8f-a6ec-673a20df4f9e",
]


@pytest.mark.parametrize(
    ("span_type", "workflow_id", "node_id"),
    [("workflow", "x", ""), ("node", "", "x"), ("subflow", "", ""), ("agent", "", ""), ("", "", "")],
)
def test_whose_patch_it_is(span_type: str, workflow_id: str, node_id: str) -> None:
    [patch] = decode(stored({"junjo.span_type": span_type, "junjo.id": "x"}, events=[event("set_state", {})])).patches
    assert (patch.workflow_id, patch.node_id) == (workflow_id, node_id)
    assert (patch.patch_json, patch.patch_store_id) == ("{}", "")


@pytest.mark.parametrize("span_type", ["workflow", "subflow"])
def test_a_flow_without_state(span_type: str) -> None:
    row = decode(stored({"junjo.span_type": span_type})).span
    assert row[-4:] == ("{}", "{}", "{}", "{}")


def test_a_node_keeps_no_state() -> None:
    """Not even one that is no JSON: the attribute is dropped before anything looks at it."""
    attributes = {"junjo.span_type": "node", "junjo.workflow.state.start": "no JSON", "junjo.workflow.store.id": "s"}
    row = decode(stored(attributes)).span
    assert row[-4:] == ("{}", "{}", "{}", "")
    assert row.attributes_json == "{}"


def test_json_columns_keep_their_text() -> None:
    text = '{ "b" : [1.0, 1e5], "a": "<\\u00e9>" , "a": 2}\n'
    assert decode(stored(FLOW | {"junjo.workflow.state.end": text})).span.junjo_wf_state_end == text


def test_of_a_repeated_junjo_attribute_the_first_string_counts() -> None:
    row = decode(stored({"junjo.id": 5}, {"junjo.id": "a"}, {"junjo.id": "b"})).span
    assert (row.junjo_id, row.attributes_json) == ("a", "{}")


@pytest.mark.parametrize(
    ("fields", "column", "expected"),
    [
        ({"kind": 6}, "kind", "UNSPECIFIED"),
        ({"kind": -1}, "kind", "UNSPECIFIED"),
        ({"status": Status()}, "status_code", "STATUS_CODE_UNSET"),
        ({"status": Status(code=7)}, "status_code", "7"),  # type: ignore[arg-type]
        ({"status": Status(message="m")}, "status_message", "m"),
        ({"parent_span_id": b"\xab"}, "parent_span_id", "ab"),
        ({"trace_state": "a=1"}, "trace_state", "a=1"),
        ({"flags": 2**31 - 1}, "trace_flags", 2**31 - 1),
        ({"start_time_unix_nano": 1999}, "start_time", 1),
        # Read as signed: one nanosecond before 1970, rounded down.
        ({"end_time_unix_nano": 2**64 - 1}, "end_time", -1),
        ({"name": "a\0b<"}, "name", "a\0b<"),
        ({"links": [Span.Link(trace_id=b"x")]}, "links_json", "[]"),
    ],
)
def test_columns(fields: dict[str, Any], column: str, expected: object) -> None:
    assert decode(stored(**fields)).span._asdict()[column] == expected


def test_an_event_keeps_its_time_to_the_nanosecond_and_its_dropped_count() -> None:
    noted = event("n<", {"z": 1.0, "a": []}, 2**64 - 1)
    noted.dropped_attributes_count = 2**32 - 1
    assert decode(stored(events=[noted])).span.events_json == (
        r'[{"attributes":{"a":null,"z":1},"droppedAttributesCount":4294967295,"name":"n\u003c",'
        r'"timeUnixNano":18446744073709551615}]'
    )


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"service.name": "shop"}, "shop"),
        ({}, "NO_SERVICE_NAME"),
        ({"service.name": ""}, "NO_SERVICE_NAME"),
        ({"service.name": 5}, "NO_SERVICE_NAME"),
        ({"service.names": "x"}, "NO_SERVICE_NAME"),
    ],
)
def test_service_name(attributes: dict[str, Any], name: str) -> None:
    resource = Resource(attributes=key_values(attributes)).SerializeToString()
    assert decode(stored()._replace(resource=resource)).span.service_name == name


def test_each_span_has_the_service_of_its_own_resource() -> None:
    rows = [decode(stored(service=name, events=[event("set_state", {})])) for name in ("a", "b", "a")]
    assert [(row.span.service_name, row.patches[0].service_name) for row in rows] == [(x, x) for x in "aba"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Stored(b"", b"\xff", b""), "no OTLP span"),
        (Stored(b"", b"", b"\xff"), "no OTLP resource"),
        (stored()._replace(span=b"\x2a\x01\xff"), "no OTLP span"),  # a name that isn't UTF-8
        (stored({"x": float("nan")}), "nan"),
        (stored(events=[event("e", {"x": [float("inf")]})]), "inf"),
        (stored(flags=2**31), "trace flags 0x80000000"),
        (stored(FLOW | {"junjo.workflow.state.start": ""}), "junjo.workflow.state.start is not JSON"),
        (stored(FLOW | {"junjo.workflow.state.end": "{"}), "junjo.workflow.state.end is not JSON"),
        (stored(FLOW | {"junjo.workflow.graph_structure": "[NaN]"}), "junjo.workflow.graph_structure is not JSON"),
        (stored(FLOW | {"junjo.workflow.state.end": '"\\ud800"'}), "junjo.workflow.state.end is not JSON"),
        (stored(FLOW | {"junjo.workflow.state.end": "[" * 5000}), "junjo.workflow.state.end is not JSON"),
        (stored(events=[event("set_state", {"junjo.state_json_patch": "[1,]"})]), "junjo.state_json_patch is not JSON"),
    ],
)
def test_bad_spans_say_why(entry: Stored, reason: str) -> None:
    with pytest.raises(BadSpanError, match=reason):
        decode(entry)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of less than 16 KiB, as protobuf encodes it; its own encoder refuses the deepest."""
    return bytes([number << 3 | 2, len(content) & 0x7F | 0x80, len(content) >> 7]) + content


def nested(maps: int) -> bytes:
    """A span with one attribute of so many maps in each other."""
    value = field(1, b"x")
    for _ in range(maps):
        value = field(6, field(1, field(1, b"k") + field(2, value)))
    return field(9, field(1, b"a") + field(2, value))


def test_how_deep_values_may_be() -> None:
    """Protobuf's limit of 100 messages; Go's is higher, but drops what is nested."""
    assert decode(stored()._replace(span=nested(32))).span.attributes_json == '{"a":{}}'
    with pytest.raises(BadSpanError, match="no OTLP span"):
        decode(stored()._replace(span=nested(33)))


@given(st.binary(), st.binary())
def test_any_bytes_become_rows_or_a_bad_span(span: bytes, resource: bytes) -> None:
    try:
        row = decode(Stored(b"", span, resource)).span
    except BadSpanError:
        return
    json.loads(row.attributes_json)
    json.loads(row.events_json)


@given(st.sampled_from(recorded()), st.data())
def test_a_damaged_span_becomes_rows_or_a_bad_span(entry: Stored, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entry.span) - 1))
    new = data.draw(st.binary(max_size=3))
    try:
        decode(entry._replace(span=entry.span[:at] + new + entry.span[at + 1 :]))
    except BadSpanError:
        pass


def test_the_time_of_a_key() -> None:
    assert key_time(recorded()[0].key) == pytest.approx(1795370000, abs=1e9)
    assert key_time(b"") is None

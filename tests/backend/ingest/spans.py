"""Spans for tests, built from plain Python values."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from backend.ingest.stored import Stored

RECORD = Path(__file__).parents[2] / "contract" / "record"


def recorded() -> list[Stored]:
    """The recorded log, in order."""
    lines = (RECORD / "spans.jsonl").read_text().splitlines()
    fields = ("key_ulid", "span_bytes", "resource_bytes")
    return [Stored(*(base64.b64decode(entry[field]) for field in fields)) for entry in map(json.loads, lines)]


def any_value(value: object) -> AnyValue:
    """None stands for an attribute without a value."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    raise TypeError(value)


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def event(name: str, attributes: dict[str, Any], time: int = 7) -> Span.Event:
    return Span.Event(name=name, time_unix_nano=time, attributes=key_values(attributes))


def stored(*attributes: dict[str, Any], service: str = "shop", **fields: Any) -> Stored:
    """One entry of the log: a span with these attributes (several dicts can repeat a key) and fields."""
    span = Span(trace_id=b"\0" * 15 + b"\1", span_id=b"\0" * 7 + b"\2")
    for each in attributes:
        span.attributes.extend(key_values(each))
    span.MergeFrom(Span(**fields))
    resource = Resource(attributes=key_values({"service.name": service}))
    return Stored(b"k" * 16, span.SerializeToString(), resource.SerializeToString())

"""One entry of the ingestion service's log, as it is stored there. No decoding here."""

from __future__ import annotations

from typing import NamedTuple

#: Bytes of a ULID; the first 6 are milliseconds since 1970, big-endian (github.com/ulid/spec).
KEY_BYTES = 16


class Stored(NamedTuple):
    """`key` orders the log; `span` and `resource` are OTLP protobufs (trace.v1.Span, resource.v1.Resource)."""

    key: bytes
    span: bytes
    resource: bytes


def key_time(key: bytes) -> float | None:
    """When the entry was stored, in seconds since 1970; None if the key is no ULID."""
    if len(key) != KEY_BYTES:
        return None
    return int.from_bytes(key[:6], "big") / 1000

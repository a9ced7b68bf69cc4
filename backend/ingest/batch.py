"""Entries of the log → what one transaction writes: columns of both tables, bad spans with reasons; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadSpanError
from .decode import decode
from .rows import PatchRow, SpanRow
from .stored import Stored

SpanId = tuple[str, str]
Columns = dict[str, list[Any]]


@dataclass(slots=True)
class Batch:
    """`spans` by (trace id, span id): of two with the same ids the first counts, as in a file."""

    spans: dict[SpanId, SpanRow] = field(default_factory=dict)
    patches: dict[SpanId, list[PatchRow]] = field(default_factory=dict)
    bad: list[tuple[Stored, str]] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Sequence[Stored]) -> Batch:
        batch = cls()
        for entry in entries:
            try:
                span, patches = decode(entry)
            except BadSpanError as error:
                batch.bad.append((entry, str(error)))
                continue
            at = (span.trace_id, span.span_id)
            if at not in batch.spans:
                batch.spans[at] = span
                if patches:
                    batch.patches[at] = patches
        return batch

    def span_columns(self) -> Columns:
        return columns(SpanRow._fields, self.spans.values())

    def patch_columns(self, of: Sequence[SpanId]) -> Columns | None:
        """The patches of these spans; None if there are none."""
        found = [patch for at in of for patch in self.patches.get(at, ())]
        return columns(PatchRow._fields, found) if found else None

    def bad_columns(self) -> Columns:
        return columns(("key", "span", "resource", "reason"), [(*entry, reason) for entry, reason in self.bad])


def columns(names: Sequence[str], rows: Any) -> Columns:
    """One list a column, as the inserts take them."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

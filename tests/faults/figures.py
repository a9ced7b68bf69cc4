"""What clients saw in each case, collected over a run and printed as one table. Judging is the cases' business."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from textwrap import wrap

from tests.faults.load import Event, is_idempotent

_WIDTHS = (46, 9, 11, 9, 52)
_HEADINGS = ("case", "requests", "idempotent", "other", "what else")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: how many requests, and how many of each sort failed, by kind."""

    case: str
    requests: int
    idempotent: Counter[str]
    other: Counter[str]
    note: str


class Figures:
    """The rows of one run, in the order of the cases."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, case: str, events: list[Event], note: str = "") -> Row:
        """Count what a load saw."""
        row = Row(
            case,
            len(events),
            Counter(event.kind for event in events if event.kind and is_idempotent(event.method)),
            Counter(event.kind for event in events if event.kind and not is_idempotent(event.method)),
            note,
        )
        self.rows.append(row)
        return row

    def note(self, case: str, requests: int, note: str) -> None:
        """A case whose figures aren't failures of requests."""
        self.rows.append(Row(case, requests, Counter(), Counter(), note))

    def lines(self) -> list[str]:
        """The table as text; failures are counts, their kinds are beside them."""
        found = _line(_HEADINGS)
        for row in self.rows:
            kinds = ", ".join(f"{count} × {kind}" for kind, count in (row.idempotent + row.other).most_common())
            what = "; ".join(part for part in (kinds, row.note) if part)
            counts = (f"{row.requests:,}", str(row.idempotent.total()), str(row.other.total()))
            found += _line((row.case, *counts, what))
        return found


def _line(cells: tuple[str, ...]) -> list[str]:
    """One row of the table, its last cell wrapped below itself."""
    *first, last = cells
    pieces = wrap(last, _WIDTHS[-1]) or [""]
    start = first[0].ljust(_WIDTHS[0]) + "".join(
        cell.rjust(width) for cell, width in zip(first[1:], _WIDTHS[1:-1], strict=True)
    )
    indent = " " * (sum(_WIDTHS[:-1]) + 2)
    return [f"{start}  {pieces[0]}", *(indent + piece for piece in pieces[1:])]

"""Which cases are sent, and when: reads first, then what writes or follows a write, in the file's order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .cases import Case


@dataclass(frozen=True, slots=True)
class Order:
    """`reads` change nothing and need nothing of the `rest`; `skipped` are labels with the reason."""

    reads: Sequence[Case]
    rest: Sequence[Case]
    skipped: dict[str, str]


def ordered(cases: Sequence[Case], known: Iterable[str]) -> Order:
    """Plan `cases`; `known` are placeholders that have a value from the start."""
    known = set(known)
    reads: list[Case] = []
    for case in cases:
        if case.safe and case.after is None and not case.writes and case.placeholders() <= known:
            reads.append(case)
            known.update(case.capture)
    sent = {case.label for case in reads}
    rest: list[Case] = []
    skipped: dict[str, str] = {}
    for case in cases:
        if case.label in sent:
            continue
        if why := _objection(case, known, skipped):
            skipped[case.label] = why
        else:
            rest.append(case)
            known.update(case.capture)
    return Order(reads, rest, skipped)


def _objection(case: Case, known: set[str], skipped: dict[str, str]) -> str | None:
    if not case.safe and not case.writes:
        return f'{case.method} may write; to send it, say "writes": true in the case'
    if case.after in skipped:
        return follows_unsent(case)
    return lacking(case.placeholders() - known)


def follows_unsent(case: Case) -> str:
    """Why a case whose `after` wasn't sent can't be sent."""
    return f"comes after {case.after!r}, which wasn't sent"


def lacking(names: Iterable[str]) -> str | None:
    """Why a case without a value for these placeholders can't be sent; None if there are none."""
    missing = ", ".join(f"${{{name}}}" for name in sorted(names))
    hint = "; --session gives ${session}" if "${session}" in missing else ""
    return f"no value for {missing}: no case before it captured one{hint}" if missing else None

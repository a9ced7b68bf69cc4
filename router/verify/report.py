"""A verification as a JSON tree and as a table for the terminal. Paths are the cases' own, without captured values."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..shadow.difference import Difference
from .run import Result, Verification

_STYLES = {"same": "green", "warns": "yellow", "differs": "bold red", "skipped": "dim"}
#: Verdicts in the order of the summary.
VERDICTS = ("differs", "warns", "same", "skipped")


def summary(verification: Verification) -> str:
    """One line."""
    counts = ", ".join(f"{verification.count(verdict)} {verdict}" for verdict in VERDICTS)
    verdict = "they differ" if verification.count("differs") else "nothing blocks"
    return f"{len(verification.results)} cases: {counts}; {verdict}"


def as_tree(verification: Verification) -> dict[str, Any]:
    """What the JSON report holds."""
    return {
        "stable": verification.stable,
        "canary": verification.canary,
        "summary": {verdict: verification.count(verdict) for verdict in VERDICTS},
        "cases": [_case(result) for result in verification.results],
    }


def _case(result: Result) -> dict[str, Any]:
    return {
        "id": result.case.label,
        "method": result.case.method,
        "path": result.case.path,
        "verdict": result.verdict,
        "stable": result.stable,
        "canary": result.canary,
        "differences": [_difference(difference) for difference in result.differences],
        "noise": [f"{place.path} {place.kind}" for place in sorted(result.noise)],
        "passing": result.passing,
        "skipped": result.skipped,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "path": difference.place.path,
        "class": difference.place.kind,
        "action": difference.action,
        "count": difference.count,
        "stable": difference.stable,
        "canary": difference.canary,
    }


def remark(result: Result) -> str:
    """What else is to be said of a case, in words."""
    if result.skipped:
        return result.skipped
    noise = ", ".join(f"{place.path} {place.kind}" for place in sorted(result.noise))
    said = [f"noise: {noise}"] if noise else []
    return "; ".join([*said, *(["differed once, then no more"] if result.passing else [])])


def show(verification: Verification, console: Console) -> None:
    """The table, the differences of each case below it, and the summary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("case", "request", "stable", "canary", "verdict", "remark"):
        table.add_column(column, overflow="fold")
    for result in verification.results:
        request = f"{result.case.method} {result.case.path}"
        cells = map(_text, (result.case.label, request, result.stable, result.canary))
        table.add_row(*cells, Text(result.verdict, _STYLES[result.verdict]), _text(remark(result)))
    console.print(table)
    for result in verification.results:
        if result.differences:
            console.print(_text(result.case.label, "bold"))
            for difference in result.differences:
                console.print(_text(_line(difference)), soft_wrap=True)
    console.print(Text(summary(verification)))


def _line(difference: Difference) -> str:
    path, kind = difference.place
    times = f" ×{difference.count}" if difference.count > 1 else ""
    sides = f"stable {difference.stable or '-'} | canary {difference.canary or '-'}"
    return f"  {difference.action:<5} {kind:<13} {path}{times}: {sides}"


def _text(text: str, style: str = "") -> Text:
    """No markup, as answers may hold brackets, and no control characters: they must not move the terminal's cursor."""
    return Text("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text), style)

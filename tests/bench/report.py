"""What a run tells its reader: one table a scenario, one of the goals, and all figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from .goals import Verdict, judge_all
from .load import Sample
from .stats import Figure, median_of, of_peer, ratio

SUBJECT = "cutover"
FOREIGN_MUCH = 0.1  # of the whole machine; above it, requests/s and p99 say little
BUSY_FULL = 0.9  # of the proxy's core; below it, something else was the limit
_COLOUR = {Verdict.REACHED: "green", Verdict.MISSED: "red", Verdict.UNKNOWN: "dim"}


@dataclass(slots=True)
class Outcome:
    """What a scenario found: rows to print, figures for the goals, raw values for JSON."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    """Names of figures that other programs' load may have moved."""
    raw: list[dict[str, object]] = field(default_factory=list)


def number(value: float | None, digits: int = 2) -> str:
    """Thousands separated; a dash for what wasn't measured."""
    return "–" if value is None else f"{value:,.{digits}f}"


_COLUMNS: tuple[tuple[str, Figure, int], ...] = (
    ("rps", lambda sample: sample.rps, 0),
    ("p50 ms", lambda sample: sample.p50, 2),
    ("p99 ms", lambda sample: sample.p99, 2),
    ("CPU µs/req", lambda sample: sample.cpu_us, 1),
    ("core busy", lambda sample: sample.busy, 2),
    ("MB/s", lambda sample: sample.mb_s, 0),
    ("errors", lambda sample: sample.errors, 0),
)
_RATIOS: tuple[tuple[str, str, Figure], ...] = (
    ("rps", "rps ÷", lambda sample: sample.rps),
    ("p99", "p99 ÷", lambda sample: sample.p99),
    ("cpu", "CPU ÷", lambda sample: sample.cpu_us),
)


def comparison(
    name: str, title: str, samples: Sequence[Sample], titles: Mapping[str, str], subject: str = SUBJECT
) -> Outcome:
    """A table with one row a peer; the ratios are those of the subject to that row's peer."""
    head = ("", *(column for column, _, _ in _COLUMNS), *(column for _, column, _ in _RATIOS), "rps min…max")
    outcome = Outcome(name, title, head, raw=[asdict(sample) for sample in samples])
    measured = dict.fromkeys(sample.peer for sample in samples)  # in some round's order; the titles have the right one
    for peer in sorted(measured, key=list(titles).index if measured.keys() <= titles.keys() else str):
        ratios = {key: ratio(samples, subject, peer, figure) for key, _, figure in _RATIOS}
        for key, value in ratios.items():
            if value is not None and peer != subject:
                outcome.figures[f"{name}.{key}.{peer}"] = value
        cells = [number(median_of(samples, peer, figure), digits) for _, figure, digits in _COLUMNS]
        rates = [sample.rps for sample in of_peer(samples, peer)]
        spread = f"{number(min(rates), 0)}…{number(max(rates), 0)}"
        outcome.rows.append((titles.get(peer, peer), *cells, *map(number, ratios.values()), spread))
    if samples:
        outcome.notes += _warnings(samples)
    if any(sample.foreign > FOREIGN_MUCH for sample in samples):
        outcome.unsure = {key for key in outcome.figures if ".cpu." not in key}
    return outcome


def _warnings(samples: Sequence[Sample]) -> list[str]:
    notes = []
    foreign = [sample.foreign for sample in samples]
    if max(foreign) > FOREIGN_MUCH:
        notes.append(
            f"programs outside the bench used {median(foreign):.0%} of the machine in the median and "
            f"{max(foreign):.0%} at most: trust CPU ÷ rather than rps ÷, and p99 not at all"
        )
    idle = [peer for peer in dict.fromkeys(sample.peer for sample in samples) if _was_idle(samples, peer)]
    if idle:
        notes.append(f"not limited by the proxy itself: {', '.join(idle)}; compare these by CPU ÷, not by rps ÷")
    failed = {sample.peer: sample.errors for sample in samples if sample.errors}
    if failed:
        notes.append(f"failed requests, worst round: {failed}")
    return notes


def _was_idle(samples: Sequence[Sample], peer: str) -> bool:
    return (median_of(samples, peer, lambda sample: sample.busy) or 0.0) < BUSY_FULL


def show(console: Console, outcome: Outcome) -> None:
    table = Table(title=outcome.title, title_justify="left", title_style="bold")
    for index, column in enumerate(outcome.head):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in outcome.rows:
        table.add_row(*row)
    console.print(table)
    for note in outcome.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def show_goals(console: Console, outcomes: Sequence[Outcome]) -> None:
    unsure = _unsure(outcomes)
    table = Table(title="Goals of shared/router.md", title_justify="left", title_style="bold")
    table.add_column("figure")
    table.add_column("goal", justify="right")
    table.add_column("measured", justify="right")
    table.add_column("")
    for goal, measured, verdict in judge_all(gathered(outcomes)):
        value = f"{number(measured)}{goal.unit if measured is not None else ''}"
        doubt = " (others used the machine)" if goal.key in unsure else ""
        table.add_row(goal.title, goal.wanted, value, f"[{_COLOUR[verdict]}]{verdict}[/]{doubt}")
    console.print(table)


def write_json(path: Path, outcomes: Sequence[Outcome], about: Mapping[str, object]) -> None:
    unsure = _unsure(outcomes)
    goals = [
        {
            "figure": goal.title,
            "goal": goal.wanted,
            "measured": measured,
            "verdict": verdict,
            "unsure": goal.key in unsure,
        }
        for goal, measured, verdict in judge_all(gathered(outcomes))
    ]
    scenarios = [asdict(outcome) | {"unsure": sorted(outcome.unsure)} for outcome in outcomes]
    document = {"about": about, "goals": goals, "scenarios": scenarios}
    path.write_text(json.dumps(document, indent=1, default=str) + "\n")


def gathered(outcomes: Sequence[Outcome]) -> dict[str, float]:
    return {key: value for outcome in outcomes for key, value in outcome.figures.items()}


def _unsure(outcomes: Sequence[Outcome]) -> set[str]:
    return {key for outcome in outcomes for key in outcome.unsure}

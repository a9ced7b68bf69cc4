"""What the demo shows: a live table on a terminal, one line a step anywhere else, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from .measure import ARMS, GRACE_SECONDS, Outcome, Rollback, Share, Speed, Step

#: Two lines a heading: with one space between columns the table fits 80 characters.
_COLUMNS = (
    "canary\nweight",
    "% of\nusers",
    "% of\nrequests",
    "\nreq/s",
    "stable ms\np50/95/99",
    "canary ms\np50/95/99",
    "\nmoved",
    "\nwrong",
    "\nfailed",
)

_LEGEND = (
    "± is 4 σ: how far chance alone may carry that many users. moved: users who changed sides because the weight "
    f"did. wrong: users who changed sides otherwise, {GRACE_SECONDS * 1000:g} ms or more after a change; must be 0. "
    "✗: failed requests of that side."
)


class Screen:
    """`show` may be called several times a second; use it as a context manager around the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = 0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, steps: Sequence[Step], running: Step | None) -> None:
        if self._console.is_terminal:
            self._live.update(table(steps, running), refresh=True)
            return
        for step in steps[self._printed :]:
            self._console.print(line(step), soft_wrap=True)
        self._printed = len(steps)


def table(steps: Sequence[Step], running: Step | None = None) -> Table:
    """Finished steps with their verdict, and the running one, dim, without."""
    made = Table(box=None, padding=(0, 1, 0, 0), caption=_LEGEND, caption_justify="left", min_width=76)
    for name in _COLUMNS:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column(no_wrap=True)
    for step in steps:
        made.add_row(*cells(step), "[red]✗[/red]" if step.problems() else "[green]✓[/green]")
    if running is not None:
        made.add_row(*cells(running), "…", style="dim")
    return made


def cells(step: Step) -> tuple[str, ...]:
    """One row, in the order of the columns."""
    return (
        f"{step.percent:g} %",
        _share(step.user_share),
        _share(step.request_share),
        f"{step.rps:.0f}",
        _speed(step.speed["stable"]),
        _speed(step.speed["canary"]),
        str(len(step.switches.moved)),
        str(len(step.switches.wrong)),
        str(step.failed),
    )


def line(step: Step) -> str:
    """The row as one line of plain text."""
    names = [" ".join(name.split()) for name in _COLUMNS[1:]]
    pairs = ", ".join(f"{name} {cell}" for name, cell in zip(names, cells(step)[1:], strict=True))
    return f"canary at {step.percent:g} %: {pairs}: {'FAILED' if step.problems() else 'ok'}"


def _share(share: Share) -> str:
    return f"{share.observed * 100:.1f}±{share.tolerance * 100:.1f}"


def _speed(speed: Speed) -> str:
    if speed.p50 is None or speed.p95 is None or speed.p99 is None:
        text = "–"
    else:
        text = "/".join(_milliseconds(value) for value in (speed.p50, speed.p95, speed.p99))
    return f"{text} ✗{speed.failed}" if speed.failed else text


def _milliseconds(value: float) -> str:
    return f"{value * 1000:.1f}" if value < 0.01 else f"{value * 1000:.0f}"


def summary(outcome: Outcome, seconds: float) -> list[str]:
    """The verdict: what held, or what did not."""
    if problems := outcome.problems():
        return ["The demo FAILED:", *(f"  {problem}" for problem in problems)]
    moves = sum(len(step.switches.moved) for step in outcome.steps)
    path = " → ".join(f"{step.percent:g}" for step in outcome.steps)
    answers = " and ".join(f"{outcome.counted[arm]:,} from {arm}" for arm in ARMS)
    return [
        f"It held: weight {path} % in {seconds:.0f} s; no request failed; users and router both counted {answers};",
        f"users changed sides {moves} times, each time because the weight did.",
        *(_rollback(outcome.rollback) if outcome.rollback else []),
    ]


def _rollback(found: Rollback) -> list[str]:
    return [
        "Then a plan went on by itself, 10 → 50 %, until the canary's process ended:",
        f"weight 0 after {found.seconds:.1f} s, none of {found.requests:,} requests failed. cutover explain:",
        *(f"  {words}" for words in found.words),
    ]

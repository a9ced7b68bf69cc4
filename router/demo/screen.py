"""What the demo shows: a live table on a terminal, one line a step anywhere else, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from .measure import GRACE_SECONDS, Share, Speed, Step

_COLUMNS = (
    "canary",
    "of users",
    "of requests",
    "req/s",
    "stable p50/95/99 ms",
    "canary p50/95/99 ms",
    "moved",
    "wrong",
    "failed",
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
    made = Table(title="cutover demo", caption=_LEGEND, title_justify="left", caption_justify="left")
    for name in _COLUMNS:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("")
    for step in steps:
        made.add_row(*cells(step), "[red]✗[/red]" if step.problems() else "[green]✓[/green]")
    if running is not None:
        made.add_row(*cells(running), "…", style="dim")
    return made


_LEGEND = (
    "± is 4 σ of what chance allows for that many users. moved: users who changed sides because the weight did. "
    f"wrong: users who changed sides otherwise, more than {GRACE_SECONDS * 1000:g} ms after a change; must be 0."
)


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
    named = zip(_COLUMNS[1:], cells(step)[1:], strict=True)
    verdict = "FAILED" if step.problems() else "ok"
    return f"canary at {step.percent:g} %: " + ", ".join(f"{name} {cell}" for name, cell in named) + f": {verdict}"


def _share(share: Share) -> str:
    return f"{share.observed * 100:.1f} ±{share.tolerance * 100:.1f} %"


def _speed(speed: Speed) -> str:
    """Milliseconds, and errors behind them if there were any."""
    if speed.p50 is None or speed.p95 is None or speed.p99 is None:
        return "–"
    text = "/".join(f"{value * 1000:.1f}" for value in (speed.p50, speed.p95, speed.p99))
    return f"{text} ({speed.failed} failed)" if speed.failed else text


def summary(steps: Sequence[Step], seconds: float) -> list[str]:
    """The verdict: what held, or what did not."""
    problems = [problem for step in steps for problem in step.problems()]
    if problems:
        return ["The demo FAILED:", *(f"  {problem}" for problem in problems)]
    requests = sum(step.requests for step in steps)
    moves = sum(len(step.switches.moved) for step in steps)
    path = " → ".join(f"{step.percent:g}" for step in steps)
    return [
        f"It held: weight {path} %, {requests:,} requests, 0 failed, {moves} moves from one side to the other, "
        f"each one due to a weight change; {seconds:.0f} s."
    ]

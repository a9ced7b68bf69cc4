"""`python -m tests.bench`: cutover beside nginx, HAProxy, Envoy and Starlette + httpx, against the goals of router.md.

--quick             the main comparison and idle memory, in two to three minutes
--only NAME,...     these scenarios; --list names them
--peers NAME,...    these proxies; one that can't be run here is skipped with its reason
--rounds, --seconds how often and how long each peer is measured; --json FILE keeps the raw figures
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType

from rich.console import Console

from .compare import CASES, Field, run_case
from .context import Bench, Options
from .ingest import run_ingest
from .lag import run_lag
from .machine import describe
from .memory import run_growth, run_idle
from .peers import PEERS
from .processes import Unavailable
from .report import Outcome, show, show_goals, write_json
from .spans import CASES as SPAN_CASES
from .spans import run_spans
from .streams import run_download, run_upload
from .upstream import Upstream, start_upstream
from .workers import run_workers

QUICK = ("main", "browser", "idle")
_OTHERS: Mapping[str, Callable[[Bench, Upstream], Outcome]] = {
    "workers": run_workers,
    "idle": run_idle,
    "growth": run_growth,
    "download": run_download,
    "upload": run_upload,
    "lag": run_lag,
    "ingest": run_ingest,
    **{name: partial(run_spans, name=name) for name in SPAN_CASES},
}
SCENARIOS = (*(case.name for case in CASES), *_OTHERS)


def main() -> int:
    arguments = _arguments()
    if arguments.list:
        print("\n".join(SCENARIOS))
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20000)), hard))
    # A pipe has no width of its own, and 80 columns would break every row.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    options = Options(arguments.rounds, arguments.seconds, arguments.quick, arguments.peers)
    outcomes: list[Outcome] = []
    code = 0
    try:
        with Bench(options, console) as bench:
            console.print(f"{bench.cores.note}; wrk -t1, medians of interleaved runs", style="dim")
            _run(bench, arguments.only or (QUICK if arguments.quick else SCENARIOS), outcomes)
    except KeyboardInterrupt:
        console.print("stopped; what follows is what was measured until then", style="yellow")
        code = 130
    except Unavailable as reason:
        console.print(f"the bench can't run here: {reason}", style="red")
        return 2
    show_goals(console, outcomes)
    if arguments.json:
        write_json(arguments.json, outcomes, describe() | {"pinning": bench.cores.note})
    return code


def _run(bench: Bench, names: tuple[str, ...], outcomes: list[Outcome]) -> None:
    upstream = start_upstream(bench, bench.cores.upstream)
    field = Field(bench, upstream)
    scenarios = {case.name: partial(run_case, bench, field, case) for case in CASES}
    scenarios |= {name: partial(run, bench, upstream) for name, run in _OTHERS.items()}
    for name in names:
        bench.say(f"{name} …")
        try:
            outcome = scenarios[name]()
        except (Unavailable, OSError, RuntimeError) as error:  # one scenario that fails must not cost the others
            bench.console.print(f"{name} failed: {error}", style="red", highlight=False)
            continue
        outcomes.append(outcome)
        show(bench.console, outcome)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__, formatter_class=_Raw)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", type=partial(_names, SCENARIOS), default=())
    parser.add_argument("--peers", type=partial(_names, tuple(PEERS)), default=tuple(PEERS))
    parser.add_argument("--rounds", type=partial(_within, 1, 100))
    parser.add_argument("--seconds", type=partial(_within, 1, 60))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (3 if arguments.quick else 4)
    return arguments


class _Raw(argparse.RawDescriptionHelpFormatter):
    pass


def _names(known: tuple[str, ...], text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    return names


def _within(low: int, high: int, text: str) -> int:
    value = int(text)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{value} isn't within {low} to {high}")
    return value


if __name__ == "__main__":
    sys.exit(main())

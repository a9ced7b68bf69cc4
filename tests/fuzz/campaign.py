"""Runs seeded cases against a real router until a count or a time is reached, and looks after its health meanwhile."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Upstream
from tests.faults.processes import open_files, resident
from tests.fuzz.check import Outcome, check
from tests.fuzz.lane import Lane
from tests.fuzz.link import Failure
from tests.fuzz.mutate import REQUEST, Case, make
from tests.fuzz.shrink import shrink

#: Cases after which memory has been used for the first time, and so may be compared with its end.
WARM_UP = 500
#: How much a worker may grow between then and the end: the allocator's slack, whatever the number of cases.
GROWTH_BYTES = 2 * 1024 * 1024
GROWTH_FILES = 2
#: What a router that copes with all it gets never logs.
COMPLAINT = re.compile(r"Traceback|Exception|ERROR|CRITICAL|WARNING")
#: More than a person wants to read at once.
MOST_FINDINGS = 5
#: Failures are of one kind if so much of their text is the same.
ALIKE = 30


@dataclass
class Finding:
    """A case that failed, as small as it could be made."""

    number: int
    case: Case
    why: str

    def __str__(self) -> str:
        return f"case {self.number}: {self.why[:1500]}\n  {self.case!r}"


@dataclass
class Report:
    seed: int
    cases: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    upstream: int = 0
    """Whole requests that the upstream received."""
    findings: list[Finding] = field(default_factory=list)
    grown_bytes: int = 0
    grown_files: int = 0
    problems: list[str] = field(default_factory=list)
    """Of the router as a whole: growth, a worker that was replaced, a complaint in its log."""

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        statuses = ", ".join(f"{count} × {status}" for status, count in self.statuses.most_common(12))
        lines = [
            f"seed {self.seed}: {self.cases} cases in {self.seconds:.1f} s: {kinds}; {self.upstream} requests upstream",
            f"answers: {statuses}",
            f"worker {self.grown_bytes / 1e6:+.1f} MB, {self.grown_files:+d} descriptors since warm-up",
            *self.problems,
            *map(str, self.findings),
        ]
        return "\n".join(lines)


@contextlib.contextmanager
def fuzzed_router() -> Iterator[tuple[Lane, Router]]:
    """A router with one worker and default settings, without health checks, and the lane through it."""
    lane = Lane()
    unused = Upstream()
    url = f"http://127.0.0.1:{lane.upstream_port}"
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            running_router(Path(folder), unused, unused, arms=((url,), (url,))) as router,
        ):
            lane.port = router.port
            yield lane, router
    finally:
        lane.close()
        unused.shut()


def case_of(seed: int, number: int) -> Case:
    return make(Random(f"{seed}/{number}"))


def run(seed: int, count: int, seconds: float) -> Report:
    """Cases 0, 1, ... of a seed, until `count` are through or `seconds` are over."""
    report = Report(seed)
    with fuzzed_router() as (lane, router):
        workers = router.children()
        begun = time.monotonic()
        before: tuple[int, int] | None = None
        while report.cases < count and time.monotonic() - begun < seconds and len(report.findings) < MOST_FINDINGS:
            _run_one(report, lane, case_of(seed, report.cases))
            report.cases += 1
            if report.cases == WARM_UP:
                before = _used(lane, workers)
        report.seconds = time.monotonic() - begun
        _check_router(report, lane, router, workers, before)
    return report


def _run_one(report: Report, lane: Lane, case: Case) -> None:
    report.kinds[case.kind] += 1
    try:
        outcome = attempt(lane, case)
        report.statuses.update(outcome.statuses)
        report.upstream += len(outcome.requests)
        return
    except Exception as failure:
        why = f"{type(failure).__name__}: {failure}"
    lane.restart()
    small = shrink(case, failing(lane, why))
    report.findings.append(Finding(report.cases, small, why))


def attempt(lane: Lane, case: Case) -> Outcome:
    """One case, and where it came in several segments the same bytes in one, with the same outcome."""
    outcome = check(case, lane.run(case))
    if case.kind == REQUEST and len(case.send) > 1:
        whole = check(case, lane.run(case.whole()))
        if whole != outcome:
            raise Failure(f"in segments {outcome!r}, in one {whole!r}")
    return outcome


def failing(lane: Lane, why: str) -> Callable[[Case], bool]:
    """Whether a case fails as another one did, for `shrink`."""

    def fails(case: Case) -> bool:
        try:
            attempt(lane, case)
        except Exception as failure:
            lane.restart()
            return why.startswith(f"{type(failure).__name__}: {failure}"[:ALIKE])
        return False

    return fails


def _used(lane: Lane, workers: list[int]) -> tuple[int, int]:
    """Bytes and descriptors of the router's processes, once it has let go of what the cases left."""
    lane.restart()
    lane.settle()
    return sum(map(resident, workers)), sum(map(open_files, workers))


def _check_router(
    report: Report, lane: Lane, router: Router, workers: list[int], before: tuple[int, int] | None
) -> None:
    if router.children() != workers:
        report.problems.append(f"the router's processes were {workers}, are {router.children()}")
        return
    text = router.log.read_text(errors="replace")
    if complaint := COMPLAINT.search(text):
        report.problems.append(f"in the router's log: {text[complaint.start() :][:3000]}")
    if before is not None:
        after = _used(lane, workers)
        report.grown_bytes, report.grown_files = after[0] - before[0], after[1] - before[1]
        if report.grown_bytes > GROWTH_BYTES or report.grown_files > GROWTH_FILES:
            report.problems.append("the router has grown")

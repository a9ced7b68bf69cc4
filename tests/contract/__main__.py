"""`python -m tests.contract [URL]`: replay the record, print each difference and how many steps passed.

Without a URL our own backend is started on fresh databases and all phases are replayed. With one, the phase is replayed
against whatever listens there (the real Go backend, say); it must run on empty databases, in that phase's environment
and with the record's JUNJO_SESSION_SECRET, and steps that need spans are left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.contract.ours import Ours
from tests.contract.replay import Outcome, replay
from tests.contract.steps import Record
from tests.standins.providers import running_providers


class Running:
    """A backend that somebody else started."""

    def __init__(self, url: str) -> None:
        self.url = url

    def enter(self, phase: str, environment: dict[str, str]) -> None:
        print(f"phase {phase}: {self.url} should run with " + ", ".join(sorted(environment)))

    def ingest(self, service: str) -> None:
        print(f"the spans of {service} aren't sent: see tests/standins/ingestion.py")


def outcomes(url: str | None, phases: list[str]) -> Iterator[Outcome]:
    record = Record.load()
    if url is not None:
        yield from replay(record, Running(url), phases)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        running_providers() as providers,
        Ours(Path(folder), providers.environment()) as target,
    ):
        yield from replay(record, target, phases)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract")
    parser.add_argument("url", nargs="?", help="backend to ask; without it, ours is started")
    parser.add_argument("--phase", action="append", choices=["1", "2", "3"], help="only this one (again for more)")
    arguments = parser.parse_args()
    passed, failed = 0, 0
    for outcome in outcomes(arguments.url, arguments.phase or ["1", "3", "2"]):
        if outcome.problems:
            failed += 1
            print(outcome)
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

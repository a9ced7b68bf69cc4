"""Replays recorded steps against running backends, in order, and says of each how the answer differs.

A `Target` is what the steps run against: our backend with its files, or anything that listens on a port.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from tests.contract import wanted
from tests.contract.compare import differences
from tests.contract.steps import Record, Request, Response, Step, captured, filled

TIMEOUT = 30.0


class Target(Protocol):
    """A backend in a phase's environment. `url` may change with each call of the others."""

    url: str

    def enter(self, phase: str, environment: dict[str, str]) -> None:
        """Run in this environment from now on, on the same databases."""

    def ingest(self, service: str) -> None:
        """See to it that the recorded spans of `service` can be asked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    step: Step
    got: Response
    problems: tuple[str, ...]

    def __str__(self) -> str:
        request = self.step.request
        head = f"{self.step.id}: {request.method} {request.path}"
        note = f"\n    (wanted difference: {why})" if (why := wanted.WANTED.get(self.step.id)) else ""
        return head + note + "".join(f"\n    {problem}" for problem in self.problems)


def replay(record: Record, target: Target, phases: Iterable[str]) -> Iterator[Outcome]:
    """Every step of `phases` in the record's order (1, 3, 2: the later ones follow on the same databases)."""
    chosen = set(phases)
    values = record.sessions()
    phase = None
    for step in record.steps:
        if step.phase not in chosen:
            continue
        if step.phase != phase:
            phase = step.phase
            target.enter(phase, {"JUNJO_SESSION_SECRET": record.secret, **record.phases[phase]})
        if step.action:
            target.ingest(step.action.removeprefix("ingest:"))
        got = send(target.url, step.request, values)
        values |= captured(step, got)
        found = differences(wanted.expected(step), got, wanted.volatile(step), step.unordered)
        yield Outcome(step, got, tuple(found))


def send(url: str, request: Request, values: dict[str, str]) -> Response:
    """One request on a connection of its own, with nothing added that isn't in the record."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        body = None if request.body is None else filled(request.body, values).encode()
        headers = {name: filled(value, values) for name, value in request.headers.items()}
        connection.request(request.method, filled(request.path, values), body, headers)
        answer = connection.getresponse()
        lines = [(name.lower(), value) for name, value in answer.getheaders() if name.lower() != "date"]
        return Response(answer.status, lines, answer.read().decode())
    finally:
        connection.close()

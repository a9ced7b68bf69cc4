"""The goals of shared/router.md and backend.md as a table, and the judgement of measured figures against them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    REACHED = "reached"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Goal:
    """`key` is the figure's name in the outcomes; a figure is good at the limit and on its better side."""

    key: str
    title: str
    limit: float
    at_least: bool
    unit: str = ""

    def judge(self, measured: float | None) -> Verdict:
        if measured is None:
            return Verdict.UNKNOWN
        good = measured >= self.limit if self.at_least else measured <= self.limit
        return Verdict.REACHED if good else Verdict.MISSED

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}"


GOALS = (
    Goal("main.rps.nginx", "requests/s ÷ nginx", 1.0, at_least=True),
    Goal("browser.rps.nginx", "requests/s ÷ nginx, browser heads, a new user each", 1.0, at_least=True),
    # What requests/s ÷ comes to where the proxy is the only limit; others' load on the machine hardly moves it.
    Goal("main.cpu.nginx", "CPU a request ÷ nginx's", 1.0, at_least=False),
    Goal("browser.cpu.nginx", "CPU a request ÷ nginx's, browser heads", 1.0, at_least=False),
    Goal("main.rps.envoy", "requests/s ÷ Envoy", 2.0, at_least=True),
    Goal("main.rps.naive", "requests/s ÷ Starlette + httpx", 80.0, at_least=True),
    Goal("main.p99.nginx", "p99 ÷ nginx's", 1.2, at_least=False),
    Goal("browser.p99.nginx", "p99 ÷ nginx's, browser heads", 1.2, at_least=False),
    Goal("idle.rss", "RSS of a worker with 1,000 idle clients", 60.0, at_least=False, unit=" MB"),
    # One page table or arena more is no growth; a leak of 10 bytes a request would be 10 MB.
    Goal("growth.rss", "RSS growth over the requests (none)", 1.0, at_least=False, unit=" MB"),
    # Buffers of the kernel are no part of RSS; what the worker may hold of a stream is bounded by its high-water mark.
    Goal("download.rss", "RSS growth, 1 GB to a slow reader (flat)", 2.0, at_least=False, unit=" MB"),
    Goal("upload.rss", "RSS growth, 1 GB to a slow upstream (flat)", 2.0, at_least=False, unit=" MB"),
    Goal("lag.ms", "weight change to last newly routed request", 50.0, at_least=False, unit=" ms"),
    Goal("ingest.rate", "spans indexed a second", 2000, at_least=True),
    Goal("ingest.p99", "p99 of reads, indexing a backlog ÷ idle", 2.0, at_least=False),
    Goal("shadow.p99", "primary p99, shadow target hung ÷ mirror off", 1.05, at_least=False),
    Goal("ping.rps.bare", "backend: /ping ÷ bare Starlette route", 0.9, at_least=True),
    Goal("auth-test.rps.bare", "backend: /auth-test ÷ bare Starlette route", 0.9, at_least=True),
    Goal("ping.start_s", "backend: start to first answer", 1.0, at_least=False, unit=" s"),
    Goal("ping.rss", "backend: RSS before the first LLM call", 120.0, at_least=False, unit=" MB"),
)


def judge_all(figures: Mapping[str, float]) -> list[tuple[Goal, float | None, Verdict]]:
    """Each goal with what was measured for it."""
    return [(goal, figures.get(goal.key), goal.judge(figures.get(goal.key))) for goal in GOALS]

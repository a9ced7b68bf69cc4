"""What a drill injects, one after the other. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Fault = Literal["errors", "latency", "hang", "refused", "statuses"]
#: In the order in which they are tried.
FAULTS: tuple[Fault, ...] = ("errors", "latency", "hang", "refused", "statuses")

WORDS: dict[Fault, str] = {
    "errors": "every other answer is a 500",
    "latency": "answers take 60 ms in place of 20",
    "hang": "no answer comes",
    "refused": "connections are refused",
    "statuses": "answers are 404",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One fault: canary `requests` and `seconds` from its beginning to weight 0, and the gate that saw it."""

    fault: Fault
    detected: bool
    requests: int
    seconds: float
    gate: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def passed(results: list[dict[str, Any]]) -> bool:
    """Whether every fault was tried and detected."""
    return {result["fault"] for result in results if result["detected"]} == set(FAULTS)

"""The product's cases for `cutover verify`, made from the record: python -m tests.contract.cases

cases_reads.jsonl changes nothing: it may be asked of backends in production. cases_writes.jsonl creates and deletes;
it is for two backends on copies of one database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from router.verify.cases import SAFE
from tests.contract.steps import Record, Step

FOLDER = Path(__file__).parent
READS = FOLDER / "cases_reads.jsonl"
WRITES = FOLDER / "cases_writes.jsonl"

#: Cookies that only somebody who knows the backend's secret can make.
_MADE = ("${made_here}", "${expired}", "${other_secret}")
#: Steps whose answer isn't the databases' alone: it tells how the backend itself fares, or takes part of the record.
_LEFT_OUT = frozenset(("health", "health signed in", "spans: shop", "spans: billing"))
#: Answers that hang on what the databases hold or on keys in the environment, not on the session: no status expected.
_CHANGING = ("/users/db-has-users", "/llm/")


def reads(record: Record) -> Iterator[dict[str, Any]]:
    """Safe requests, each once, with the status that Go gave; ${session} is the operator's own."""
    seen = set()
    for step in _steps(record):
        request = step.request
        key = (request.method, request.path, json.dumps(request.headers))
        if request.method in SAFE and key not in seen:
            seen.add(key)
            case = _case(step)
            if not request.path.startswith(_CHANGING):
                case["status"] = step.response.status
            yield case


def writes(record: Record) -> Iterator[dict[str, Any]]:
    """All of the record's first phase, in its order: each case comes after the one before it, reads too."""
    before = None
    for step in _steps(record):
        case = _case(step) | ({} if step.request.method in SAFE else {"writes": True})
        yield case | ({} if before is None else {"after": before})
        before = step.id


def _steps(record: Record) -> Iterator[Step]:
    for step in record.steps:
        made = any(name in value for value in step.request.headers.values() for name in _MADE)
        if step.phase == "1" and step.id not in _LEFT_OUT and not made:
            yield step


def _case(step: Step) -> dict[str, Any]:
    request = step.request
    case: dict[str, Any] = {"id": step.id, "method": request.method, "path": request.path}
    if request.headers:
        case["headers"] = request.headers
    if request.body is not None:
        case["body"] = request.body
    if step.capture:
        case["capture"] = step.capture
    if step.volatile:
        case["volatile"] = [_path(place) for place in step.volatile]
    if step.unordered:
        case["set"] = ["$"]
    return case


def _path(place: str) -> str:
    """The record's ``*.Key`` → ``$[*].Key``."""
    return "$" + "".join("[*]" if part == "*" else f".{part}" for part in place.split("."))


def lines(cases: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases)


def main() -> None:
    record = Record.load()
    READS.write_text(lines(reads(record)), "utf-8")
    WRITES.write_text(lines(writes(record)), "utf-8")


if __name__ == "__main__":
    main()

"""A canary that misbehaves on the wire while its health checks succeed: no client may get a wrong or a half answer
that looks whole, and idempotent requests that got no byte of an answer are given to stable.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.client import Connection
from tests.faults.figures import Figures
from tests.faults.load import Event, Load, request, running_load
from tests.faults.processes import HANG, Upstream, running_upstream
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow

REQUESTS = 400
ROUNDS = 50
#: Short, so that a canary that never answers ends within the run.
SETTINGS = "[timeouts]\nfirst_byte = 0.5\n"


@dataclass(frozen=True)
class Case:
    """`allowed` are the failures a fault may cause, for idempotent requests and for others."""

    fault: str
    every: int
    idempotent: frozenset[str]
    other: frozenset[str]


NOTHING: frozenset[str] = frozenset()
BROKEN = frozenset({"502"})
CASES = [
    # Whether it was executed is unknown, and it may be just slow: nothing but the timeout is told.
    Case("hang", 5, frozenset({"504"}), frozenset({"504"})),
    Case("slow", 1, NOTHING, NOTHING),
    # Closing crosses the next request: only what can be repeated is saved.
    Case("close-after", 1, NOTHING, BROKEN),
    Case("reset-body", 3, NOTHING, frozenset({"502", "truncated"})),
    # A chunked answer isn't held back, so its beginning is with the client: it must be cut there as well.
    Case("truncate-chunks", 3, frozenset({"truncated"}), frozenset({"truncated"})),
    # An answer with bytes behind it is refused before its head is sent.
    Case("twice", 3, BROKEN, BROKEN),
]


def _observe(router: Router, requests: int = REQUESTS) -> Load:
    with running_load(router.port) as load:
        load.more(requests)
    return load


def _note(router: Router) -> str:
    arms = router.status()["arms"]
    errors = Counter(arms["canary"]["errors"])
    counted = ", ".join(f"{count} {kind}" for kind, count in errors.items())
    return f"counted: {counted or 'no error'}; {router.status()['fallbacks']} fell back"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_canary_misbehaves(tmp_path: Path, stable: Upstream, figures: Figures, case: Case) -> None:
    with (
        running_upstream("canary", case.fault, case.every) as canary,
        running_router(tmp_path, stable, canary, SETTINGS) as router,
    ):
        load = _observe(router)
        note = _note(router)
    row = figures.add(f"canary: {case.fault} (1 in {case.every})", load.events, note)
    assert set(row.idempotent) <= case.idempotent, row
    assert set(row.other) <= case.other, row
    assert _hit(load.events) <= {"canary"}, "users of stable were hit as well"


def _hit(events: list[Event]) -> set[str]:
    """Arms of the users who saw a failure; a user's arm is the one of its good answers, unless it fell back."""
    arms: dict[int, set[str]] = {}
    for event in events:
        if not event.kind:
            arms.setdefault(event.client, set()).add(event.arm)
    return {"canary" if "canary" in arms.get(event.client, {"canary"}) else "stable" for event in events if event.kind}


@pytest.mark.parametrize("what", ["byte", "answer"])
async def test_bytes_on_an_idle_connection_close_it(
    tmp_path: Path, stable: Upstream, figures: Figures, what: str
) -> None:
    """Each time the connection lies idle for certain, and is closed before the next request: nobody notices."""
    with (
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, "[health]\ninterval = 0\n", percent=100) as router,
    ):
        client, saboteur = await Connection.open(router.port), await Connection.open(canary.port)
        for number in range(ROUNDS):
            unique = f"{what}-{number}"
            answer = await client.ask(request("POST", "/api/items/1", unique, "user", b"{}"))
            assert (answer.status, answer.fields["x-unique"]) == (200, unique)
            async with asyncio.timeout(HANG):
                await saboteur.ask(request("GET", f"/late?{what}=1", unique, "saboteur"))
        note = _note(router)
        await client.close()
        await saboteur.close()
    figures.note(f"canary: unasked {what} on an idle connection", ROUNDS, note)
    assert note == "counted: no error; 0 fell back"


@pytest.mark.parametrize(("fault", "kinds"), [("stray", {"502"}), ("twice-late", {"502", "wrong"})])
def test_bytes_between_answers_under_load(
    tmp_path: Path, stable: Upstream, figures: Figures, fault: str, kinds: set[str]
) -> None:
    """Stray bytes may now meet a connection that is used again; what they break is refused, not passed on.

    An unasked answer that crosses the next request is that request's answer to every HTTP/1.1 client: no proxy can
    tell. It stays with the canary's users.
    """
    with (
        running_upstream("canary", fault, 3) as canary,
        running_router(tmp_path, stable, canary) as router,
    ):
        load = _observe(router)
        note = _note(router)
    row = figures.add(f"canary: {fault} (1 in 3), under load", load.events, note)
    assert set(row.idempotent + row.other) <= kinds, row
    assert _hit(load.events) <= {"canary"}, "users of stable were hit as well"

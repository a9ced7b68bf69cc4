"""Weight change → last newly routed request: how long a request may still go to the arm that was just emptied.

New users (no cookie) ask on a few connections all the while; the weight flips between 0 and 100 %; every answer
names its arm. The clock starts when the answer to the PUT is in. The figure is the arrival of the last answer
from the old arm, so it holds the time of that request too and errs on the safe side.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from statistics import median

from .configs import Setup
from .context import Bench
from .processes import free_port
from .report import Outcome, number
from .router_peer import TOKEN, Router, start_router
from .upstream import Upstream

CONNECTIONS = 8
FLIPS = 40
SETTLE_SECONDS = 0.15  # watched after each flip; three times the goal
_REQUEST = b"GET / HTTP/1.1\r\nHost: app.example.test\r\n\r\n"
_ARM = b"x-cutover-arm: "


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: when its request was sent, when it came, from the canary or not."""

    sent: float
    came: float
    canary: bool


def run_lag(bench: Bench, upstream: Upstream) -> Outcome:
    workers = 2  # the change has to reach each of them
    with bench.only_inside():
        router = start_router(bench, Setup(free_port(), upstream.port, bench.cores.proxy, workers), percent=0)
        lags, answers = asyncio.run(_flip(router, 4 if bench.options.quick else FLIPS))
    head = ("weight changes", "answers watched", "median ms", "highest ms")
    cells = (str(len(lags)), number(answers, 0), number(median(lags)), number(max(lags)))
    title = f"Weight change to last newly routed request, {workers} workers"
    outcome = Outcome("lag", title, head, [cells], figures={"lag.ms": max(lags)})
    outcome.notes.append("from the answer to the PUT to the last answer of the old arm; 0 when none came after it")
    outcome.raw = [{"lag_ms": lag} for lag in lags]
    return outcome


async def _flip(router: Router, flips: int) -> tuple[list[float], int]:
    seen: list[Seen] = []
    lags = []
    hammers = [asyncio.create_task(_hammer(router.port, seen)) for _ in range(CONNECTIONS)]
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        for flip in range(flips):
            to_canary = flip % 2 == 0
            answered = await _put_weight(router.admin, 100 if to_canary else 0)
            await asyncio.sleep(SETTLE_SECONDS)
            for hammer in hammers:
                if hammer.done():
                    hammer.result()  # raises what ended it
            lags.append(lag_ms(seen, answered, to_canary))
        return lags, len(seen)
    finally:
        for hammer in hammers:
            hammer.cancel()
        await asyncio.gather(*hammers, return_exceptions=True)


def lag_ms(seen: list[Seen], answered: float, to_canary: bool) -> float:
    """Of one change: only answers that came after the PUT's answer, from the arm that should get none any more."""
    late = (one.came for one in seen if one.came > answered and one.canary != to_canary)
    return max((came - answered for came in late), default=0.0) * 1000


async def _hammer(port: int, seen: list[Seen]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            sent = time.perf_counter()
            writer.write(_REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            came = time.perf_counter()
            await reader.readexactly(int(_value(head, b"content-length: ")))
            seen.append(Seen(sent, came, _value(head, _ARM) == b"canary"))
    finally:
        writer.close()


def _value(head: bytes, name: bytes) -> bytes:
    start = head.index(name) + len(name)
    return head[start : head.index(b"\r\n", start)]


async def _put_weight(admin: int, percent: int) -> float:
    """→ the moment of the answer; on the hammers' own loop, so that all moments are of one clock and thread"""
    body = json.dumps({"percent": percent, "reason": "bench"}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", admin)
    try:
        writer.write(
            b"PUT /api/v1/weight HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer %b\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (TOKEN.encode(), len(body), body)
        )
        status = await reader.readline()
        answered = time.perf_counter()
        if b" 200 " not in status:
            raise RuntimeError(f"the weight was refused: {status!r} {(await reader.read(2000))!r}")
        await reader.read()
        return answered
    finally:
        writer.close()

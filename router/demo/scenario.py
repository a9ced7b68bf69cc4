"""The story of the demo: which weights, for how long, with how many users; and the state of it at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from .measure import ARMS, Outcome, Step, count, measure
from .processes import DemoError
from .sides import Change, Seen
from .traffic import Traffic

TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Leg:
    """`percent` for `seconds`, at whose start `joining` new users arrive."""

    percent: float
    seconds: float
    joining: int


#: Long enough that every user is seen several times a leg, short enough that the whole stays under a minute.
PLAN = (Leg(0, 5, 240), Leg(10, 7, 40), Leg(50, 7, 40), Leg(100, 6, 40), Leg(0, 6, 40))

#: Called with the finished steps and the running one.
Show = Callable[[Sequence[Step], Step | None], None]

#: Mean pause of a user between requests.
THINK_SECONDS = 0.5


class Admin:
    """What the story needs of the admin API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def set_weight(self, percent: float) -> Change:
        asked = time.monotonic()
        await self._call("PUT", "/api/v1/weight", {"percent": percent, "reason": "demo"})
        return Change(percent, asked, time.monotonic())

    async def count(self) -> dict[str, int]:
        """Requests an arm, as the router counts them."""
        status = await self._call("GET", "/api/v1/status")
        return {arm: status["arms"][arm]["requests"] for arm in ARMS}

    async def _call(self, method: str, path: str, content: Any = None) -> Any:
        try:
            answer = await self._client.request(method, path, json=content)
        except httpx.HTTPError as error:
            raise DemoError(f"the admin API didn't answer: {type(error).__name__} {error}") from None
        if answer.status_code != 200:
            raise DemoError(f"the admin API refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


class Scenario:
    """`run` tells `show` the finished steps and the running one several times a second."""

    def __init__(self, admin: Admin, traffic: Traffic, plan: Sequence[Leg] = PLAN) -> None:
        self._admin = admin
        self._traffic = traffic
        self._plan = plan
        self._sides: dict[int, Seen] = {}

    async def run(self, show: Show) -> Outcome:
        """Walk the plan, let the traffic end, compare notes with the router."""
        steps: list[Step] = []
        change = await self._turn_to(0)
        for number, leg in enumerate(self._plan):
            start = len(self._traffic.answers)
            self._traffic.join(leg.joining)
            end = time.monotonic() + leg.seconds
            while time.monotonic() < end:
                await asyncio.sleep(TICK_SECONDS)
                show(steps, self._measure(change, time.monotonic(), start)[0])
            upcoming = await self._turn_to(number + 1)
            step, self._sides = self._measure(change, upcoming.asked, start)
            steps.append(step)
            show(steps, None)
            change = upcoming
        return Outcome(steps, count(self._traffic.answers), await self._admin.count())

    async def _turn_to(self, number: int) -> Change:
        """Set the weight of leg `number`; beyond the last, let the traffic end."""
        if number < len(self._plan):
            return await self._admin.set_weight(self._plan[number].percent)
        await self._traffic.stop()
        now = time.monotonic()
        return Change(self._plan[-1].percent, now, now)

    def _measure(self, change: Change, until: float, start: int) -> tuple[Step, dict[int, Seen]]:
        return measure(change, until, self._traffic.answers[start:], self._sides)

"""The story of the demo: which weights, for how long, with how many users; and the state of it at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from .. import show
from .measure import ARMS, Outcome, Rollback, Step, count, measure
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
PLAN = (Leg(0, 4, 240), Leg(10, 5, 40), Leg(50, 5, 40), Leg(100, 4, 40), Leg(0, 4, 40))

#: After the walk by hand: a plan that goes on by itself, until the canary's process ends in its second step.
ROLLOUT = {
    "name": "demo",
    "step": [
        {"name": "canary", "percent": 10, "hold": 3, "min_samples": 50},
        {"name": "half", "percent": 50, "hold": "1h"},
    ],
    "gate": [{"metric": "errors", "max": 0.05, "mode": "critical"}, {"metric": "health"}],
    "accept_inconclusive": True,
    "keep_cohorts": True,
}
#: Seconds for each part of it, and those at the second step before the fault.
PATIENCE_SECONDS, CALM_SECONDS = 15.0, 2.0

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

    async def start(self, plan: dict[str, Any]) -> None:
        await self._call("POST", "/api/v1/rollouts", {"plan": plan, "reason": "demo"})

    async def rollout(self) -> Any:
        return await self._call("GET", "/api/v1/rollout")

    async def explanation(self) -> list[str]:
        """Of the latest decision, in lines."""
        rows = (await self._call("GET", "/api/v1/decisions?limit=1"))["rows"]
        return show.explanation(await self._call("GET", f"/api/v1/decisions/{rows[0]['id']}/explain")).splitlines()

    async def _call(self, method: str, path: str, content: Any = None) -> Any:
        try:
            answer = await self._client.request(method, path, json=content)
        except httpx.HTTPError as error:
            raise DemoError(f"the admin API didn't answer: {type(error).__name__} {error}") from None
        if answer.status_code != 200:
            raise DemoError(f"the admin API refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


class Scenario:
    """`run` tells the finished steps and the running one several times a second.

    `fault` breaks the canary; without one there is no rollout at the end.
    """

    def __init__(
        self,
        admin: Admin,
        traffic: Traffic,
        plan: Sequence[Leg] = PLAN,
        fault: Callable[[], None] | None = None,
    ) -> None:
        self._fault = fault
        self._admin = admin
        self._traffic = traffic
        self._plan = plan
        self._sides: dict[int, Seen] = {}

    async def run(self, tell: Show) -> Outcome:
        """Walk the plan, let the traffic end, compare notes with the router."""
        steps: list[Step] = []
        change = await self._turn_to(0)
        for number, leg in enumerate(self._plan):
            start = len(self._traffic.answers)
            self._traffic.join(leg.joining)
            end = time.monotonic() + leg.seconds
            while time.monotonic() < end:
                await asyncio.sleep(TICK_SECONDS)
                tell(steps, self._measure(change, time.monotonic(), start)[0])
            upcoming = await self._turn_to(number + 1)
            step, self._sides = self._measure(change, upcoming.asked, start)
            steps.append(step)
            tell(steps, None)
            change = upcoming
        rollback = await self._roll_back(self._fault) if self._fault is not None else None
        await self._traffic.stop()
        return Outcome(steps, count(self._traffic.answers), await self._admin.count(), rollback)

    async def _roll_back(self, fault: Callable[[], None]) -> Rollback:
        """A healthy step, the next one, the fault; then the router has to help itself."""
        start = len(self._traffic.answers)
        await self._admin.start(ROLLOUT)
        await self._until(lambda tree: tree["step"] == 1)
        await asyncio.sleep(CALM_SECONDS)
        fault()
        broken = time.monotonic()
        await self._until(lambda tree: tree["phase"] == "rolled_back")
        seconds = time.monotonic() - broken
        words = await self._admin.explanation()
        await asyncio.sleep(CALM_SECONDS)
        answers = self._traffic.answers[start:]
        return Rollback(seconds, words, len(answers), sum(1 for answer in answers if answer.failure))

    async def _until(self, met: Callable[[Any], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not met(tree := await self._admin.rollout()):
            if time.monotonic() > deadline:
                raise DemoError(f"after {PATIENCE_SECONDS:g} s the rollout was still {show.rollout(tree)}")
            await asyncio.sleep(TICK_SECONDS / 5)

    async def _turn_to(self, number: int) -> Change:
        """Set the weight of leg `number`; beyond the last, leave it."""
        if number < len(self._plan):
            return await self._admin.set_weight(self._plan[number].percent)
        now = time.monotonic()
        return Change(self._plan[-1].percent, now, now)

    def _measure(self, change: Change, until: float, start: int) -> tuple[Step, dict[int, Seen]]:
        return measure(change, until, self._traffic.answers[start:], self._sides)

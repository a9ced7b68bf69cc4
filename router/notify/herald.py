"""Hears of decisions, steps that are held too long and a canary that is down, and hands it to the webhooks."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial

from loguru import logger

from ..clock import Clock, SystemClock, iso
from ..config import Notify
from ..health import Change
from ..rollout.driver import Rollouts
from ..rollout.machine import current
from ..table import ARMS, CANARY
from .notices import Notice, decision, endpoint, held
from .webhook import Webhook

#: Seconds between looks at how long the step is held.
_EVERY = 1.0


class Herald:
    """`run` until cancelled; `endpoint_changed` is for the prober."""

    def __init__(self, settings: Notify, source: str, rollouts: Rollouts, clock: Clock | None = None) -> None:
        self._settings = settings
        self._rollouts = rollouts
        self._clock = clock or SystemClock()
        self._told: tuple[int, int] | None = None  # rollout and step whose hold was told
        self.webhooks: list[Webhook] = []
        if settings.webhook:
            encode = partial(Notice.cloud_event, source=source)
            media_type = "application/cloudevents+json"
            self.webhooks.append(Webhook(settings.webhook, encode, media_type, settings.secret, self._clock))
        if settings.slack:
            self.webhooks.append(Webhook(settings.slack, Notice.slack, "application/json", "", self._clock))

    def endpoint_changed(self, change: Change) -> None:
        if change.arm == ARMS[CANARY]:
            self._tell(endpoint(change, self._now(), secrets.token_hex(8)))

    async def run(self) -> None:
        if not self.webhooks:
            return
        async with asyncio.TaskGroup() as tasks:
            for webhook in self.webhooks:
                tasks.create_task(webhook.run())
            tasks.create_task(self._hear())

    async def _hear(self) -> None:
        with self._rollouts.feed.listen() as queue:
            while True:
                try:
                    async with asyncio.timeout(_EVERY):
                        self._tell(decision(await queue.get()))
                except TimeoutError:
                    self.look()

    def look(self) -> None:
        """Tell once a step that it is held for too long."""
        found = self._rollouts.current
        if found is None or found.state.phase != "running":
            return
        step = current(found.plan, found.state)
        where = (found.id, found.state.step)
        if where != self._told and found.state.elapsed > step.hold + self._settings.held_for:
            self._told = where
            self._tell(held(found.id, step.name, found.missing, self._now()))

    def _tell(self, notice: Notice) -> None:
        logger.debug("notice {}", notice.kind)
        for webhook in self.webhooks:
            webhook.tell(notice)

    def _now(self) -> str:
        return iso(self._clock.time())

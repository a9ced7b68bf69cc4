"""Delivers notices to one URL: a bounded queue, retries with back-off and jitter, and nothing secret in the log.

A webhook's URL is as good as a password (Slack's hold one), so only its host is ever named.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httpx
from loguru import logger

from ..clock import Clock
from .notices import Notice, signature

#: Notices that wait; beyond it the oldest is dropped.
QUEUE_MAX = 100
#: Attempts for one notice, and seconds before the second; twice as long before each further one, up to the most.
ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 8, 1.0, 60.0
_TIMEOUT = 10.0
#: Answers after which another attempt may do better (RFC 9110, RFC 6585); other 4xx stay as they are.
_TRY_AGAIN = frozenset((408, 425, 429))


class Webhook:
    """One URL. `tell` never waits; `run` delivers until cancelled."""

    def __init__(
        self,
        url: str,
        encode: Callable[[Notice], bytes],
        media_type: str,
        secret: str,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url, self._encode, self._media_type, self._secret = url, encode, media_type, secret
        self._clock, self._sleep = clock, sleep
        self._waiting: deque[Notice] = deque()
        self._filled = asyncio.Event()
        self._host = urlsplit(url).hostname or "?"

    def tell(self, notice: Notice) -> None:
        if len(self._waiting) >= QUEUE_MAX:
            dropped = self._waiting.popleft()
            logger.warning("webhook at {}: {} is dropped, {} others wait", self._host, dropped.kind, QUEUE_MAX)
        self._waiting.append(notice)
        self._filled.set()

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False) as client:
            while True:
                await self._filled.wait()
                await self._deliver(client, self._waiting.popleft())
                if not self._waiting:
                    self._filled.clear()

    async def _deliver(self, client: httpx.AsyncClient, notice: Notice) -> None:
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
                await self._sleep(wait * random.uniform(0.5, 1.5))
            problem, final = await self._post(client, notice)
            if not problem:
                return
            if final:
                break
        logger.error("webhook at {}: {} was not delivered: {}", self._host, notice.kind, problem)

    async def _post(self, client: httpx.AsyncClient, notice: Notice) -> tuple[str, bool]:
        """What went wrong, empty when nothing did; and whether trying again is of no use."""
        body = self._encode(notice)
        headers = {"Content-Type": self._media_type, "User-Agent": "cutover"}
        if self._secret:
            timestamp = str(int(self._clock.time()))
            headers |= {
                "X-Cutover-Timestamp": timestamp,
                "X-Cutover-Signature": signature(self._secret, timestamp, body),
            }
        try:
            answer = await client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__, False  # its text may hold the URL
        if answer.is_success:
            return "", True
        code = answer.status_code
        return f"answered {code}", 300 <= code < 500 and code not in _TRY_AGAIN

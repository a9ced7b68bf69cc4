"""Active health checks: the supervisor asks every endpoint of both arms, and the workers see who is up.

`Judge` is the pure part: answers and failures in, up or down out. `Prober` does the asking, a task and a fresh
connection an endpoint, and is the only writer of endpoint states in the table. Passive ejection is the workers' own.

    prober = Prober(settings, table, down)        # every endpoint that isn't known to be down counts as up
    prober.start()
    prober.expect(settings)                       # before workers with other settings start
    await prober.reconfigure(settings)            # after SIGHUP; what is known of an endpoint is kept
    await prober.stop()
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import zip_longest
from urllib.parse import urlsplit

from loguru import logger

from .config import Health, Settings
from .errors import OUR_FAULT
from .proxy.tls import upstream_context
from .table import ARMS, Table

#: Checks are spread by this share of the interval, so that endpoints aren't all asked at once.
_JITTER = 0.1

#: Longest status line read; what is longer isn't HTTP.
_LINE = 1024


@dataclass(frozen=True, slots=True)
class Change:
    """An endpoint that went up or down."""

    arm: str
    url: str
    up: bool
    reason: str


class Judge:
    """State of one endpoint: `fall` failures in a row take it down, `rise` good answers bring it back."""

    __slots__ = ("_streak", "up")

    def __init__(self, up: bool = True) -> None:
        self.up = up
        self._streak = 0  # results in a row that speak against `up`

    def observe(self, healthy: bool, fall: int, rise: int) -> bool:
        """Take one result; True when it changed the state."""
        if healthy == self.up:
            self._streak = 0
            return False
        self._streak += 1
        if self._streak < (fall if self.up else rise):
            return False
        self.up = healthy
        self._streak = 0
        return True


async def check(url: str, path: str, timeout: float, context: ssl.SSLContext) -> str:
    """Ask once; empty when healthy, else the reason why not. Any status below 500 is healthy.

    Raises:
        OSError: we are out of ports, descriptors or memory (`OUR_FAULT`), so the endpoint was never asked.
    """
    try:
        async with asyncio.timeout(timeout):
            status = await _ask(url, path, context)
    except TimeoutError:
        return f"no answer within {timeout:g} s"
    except ssl.SSLError as error:
        return f"TLS: {getattr(error, 'verify_message', '') or error.reason or error}"
    except ConnectionRefusedError:
        return "connection refused"
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in OUR_FAULT:
            raise
        return str(error) or type(error).__name__
    return "" if status < 500 else f"answered {status}"


async def _ask(url: str, path: str, context: ssl.SSLContext) -> int:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    assert parts.hostname
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if secure else 80), ssl=context if secure else None, limit=_LINE
    )
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: cutover-health\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        line = await reader.readline()
    finally:
        writer.transport.abort()  # the rest of the answer doesn't matter
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("the answer isn't HTTP/1" if line else "closed without an answer")
    return int(rest[:3])


class Prober:
    """Keeps the endpoint states of both arms in the table current."""

    def __init__(
        self,
        settings: Settings,
        table: Table,
        down: Collection[tuple[int, str]] = (),
        on_change: Callable[[Change], None] = lambda change: None,
    ) -> None:
        """`down` are endpoints, as (arm, URL), that an earlier supervisor found to be down."""
        self._table = table
        self._on_change = on_change
        self._judges = {endpoint: Judge(up=False) for endpoint in down}
        self._tasks: list[asyncio.Task[None]] = []
        self._unasked: set[tuple[int, str]] = set()
        self._take(settings)

    def _take(self, settings: Settings) -> None:
        self._health: Health = settings.health
        self._arms = self._expected = (settings.stable, settings.canary)
        self._context = upstream_context(settings.tls)
        known = self._judges if settings.health.interval else {}
        self._judges = {
            (arm, url): known.get((arm, url)) or Judge() for arm, urls in enumerate(self._arms) for url in urls
        }
        for arm in range(len(self._arms)):
            self._publish(arm)

    def start(self) -> None:
        """Begin to ask, unless the interval is 0: then every endpoint stays up."""
        if self._health.interval:
            self._tasks = [asyncio.create_task(self._watch(arm, url)) for arm, url in self._judges]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def expect(self, settings: Settings) -> None:
        """Workers with other endpoints may start beside those with the present ones.

        States go by position, so until `reconfigure` a position is up only when it is for both: a healthy endpoint may
        seem down for a moment, one that is down never seems up.
        """
        self._expected = (settings.stable, settings.canary)
        for arm in range(len(self._arms)):
            self._publish(arm)

    async def reconfigure(self, settings: Settings) -> None:
        await self.stop()
        self._take(settings)
        self.start()

    async def _watch(self, arm: int, url: str) -> None:
        interval = self._health.interval
        await asyncio.sleep(random.uniform(0, min(interval, 1) * _JITTER))
        while True:
            await self.probe(arm, url)
            await asyncio.sleep(interval * random.uniform(1 - _JITTER, 1 + _JITTER))

    async def probe(self, arm: int, url: str) -> None:
        """Ask one endpoint once and act on the answer; without one its state stays."""
        try:
            reason = await check(url, self._health.path, self._health.timeout, self._context)
        except OSError as error:
            if (arm, url) not in self._unasked:
                self._unasked.add((arm, url))
                logger.warning("{} endpoint {} can't be asked whether it is up: {}", ARMS[arm], url, error)
            return
        if (arm, url) in self._unasked:
            self._unasked.discard((arm, url))
            logger.info("{} endpoint {} can be asked again", ARMS[arm], url)
        judge = self._judges[arm, url]
        if judge.observe(not reason, self._health.fall, self._health.rise):
            self._publish(arm)
            change = Change(ARMS[arm], url, judge.up, reason or "answers again")
            logger.log(
                "INFO" if judge.up else "ERROR",
                "{} endpoint {} is {}: {}",
                change.arm,
                change.url,
                "up" if change.up else "down",
                change.reason,
            )
            self._on_change(change)

    def _publish(self, arm: int) -> None:
        both = zip_longest(self._arms[arm], self._expected[arm])
        self._table.set_up(arm, [all(self._is_up(arm, url) for url in urls) for urls in both])

    def _is_up(self, arm: int, url: str | None) -> bool:
        judge = self._judges.get((arm, url)) if url else None
        return judge is None or judge.up

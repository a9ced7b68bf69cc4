"""What operators and the rollout may do to a running router, with no HTTP in it: weight, routes, status, audit.

A change is on disk before it is published to the workers. Only lowering the weight may go on without the disk:
a rollback must always work. One lock, so changes happen one after the other; reading needs none.

    control = Control(settings, table, store, SystemClock(), workers=lambda: [WorkerInfo(...), ...])
    await control.open()                      # publishes the stored state to the table
    task = asyncio.create_task(control.run()) # samples once a second, saves what couldn't be saved; cancel to stop
    await control.reconfigure(settings)       # after SIGHUP
    await control.close()                     # last try to save; the store stays the caller's to close
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from loguru import logger
from pydantic import TypeAdapter, ValidationError

from . import status
from .audit import Entry, Row, Verification
from .clock import Clock, SystemClock
from .config import Route, Settings
from .counters import CLIENTS, FALLBACKS, TUNNELS, Totals
from .errors import RefusedError, StoreError
from .journal import Journal
from .rates import Rates, take
from .status import Status, WorkerInfo
from .store import State, Store, Write
from .table import ROUTES_BYTES, WEIGHT_ONE, Routing, Table
from .version import VERSION

#: Routes are one compiled pattern in every worker, tried on every request.
ROUTES_MAX = 64

#: Longest wait for reading the audit trail, in seconds.
_READ_PATIENCE = 5.0

#: Ticks (seconds) between attempts to save what couldn't be saved.
_CATCH_UP_EVERY = 5

_ROUTES = TypeAdapter(tuple[Route, ...])


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is in force; `persisted` is false when a restart would forget it."""

    revision: int
    persisted: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """What a rollout decided: the weight, routes `pinned` to stable by label, a new salt, and the rows that say why.

    `must` is whether it has to be on disk before it takes effect.
    """

    percent: float
    entry: Entry
    writes: Sequence[Write]
    must: bool
    salt: int | None = None
    pinned: Sequence[str] = ()


def weight_of(percent: float) -> int:
    """Hundredths of a percent; `RefusedError` naming the field unless `percent` is 0..100 in steps of 0.01."""
    if not 0 <= percent <= 100:
        problem = "must be from 0 to 100"
    elif round(percent, 2) != percent:
        problem = "must be a multiple of 0.01"
    else:
        return round(percent * WEIGHT_ONE / 100)
    raise RefusedError(f"percent {problem}", 422, "invalid", {"percent": problem})


class Control:
    """The one writer of the state: of the store, and of the routing in the table."""

    def __init__(
        self,
        settings: Settings,
        table: Table,
        store: Store,
        clock: Clock | None = None,
        workers: Callable[[], list[WorkerInfo]] = list,
    ) -> None:
        self.settings = settings
        self.table = table
        self.totals = Totals(table)
        self.workers = workers
        self._store = store
        self._clock = clock or SystemClock()
        self._started = self._clock.monotonic()
        self._rates = Rates()
        self._lock = asyncio.Lock()
        self._ticks = 0
        self._state = State(0, 0, None, 0)
        self._routes: tuple[Route, ...] = settings.route
        self._journal = Journal(store, self._state)

    @property
    def revision(self) -> int:
        return self._state.revision

    @property
    def percent(self) -> float:
        return status.percent(self._state.weight)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Those in force: set over the API, else those of the settings."""
        return self._routes

    @property
    def persisted(self) -> bool:
        return not self._journal.behind

    async def open(self) -> None:
        """Load the state and let the workers have it."""
        self._state = await self._store.load()
        self._journal = Journal(self._store, self._state)
        self._take_routes()
        self._heed_workers()
        self._publish()
        self.sample()
        if self._state.weight and not self.settings.canary:
            logger.warning("the weight is {:g}% but no canary endpoint is configured", self.percent)

    async def reconfigure(self, settings: Settings) -> None:
        """Use other settings from now on; their routes apply unless the API set some."""
        async with self._lock:
            self.settings = settings
            self._take_routes()
            self._publish()

    async def set_weight(self, percent: float, actor: str, reason: str, if_match: int | None = None) -> Change:
        """Send `percent` of the users to the canary from their next request on."""
        weight = weight_of(percent)
        async with self._lock:
            self.expect(if_match)
            if weight:
                self.require_canary()
            before, after = self.percent, status.percent(weight)
            wanted = replace(self._state, weight=weight, revision=self.revision + 1)
            entry = self._entry(actor, "weight", reason, {"percent": before}, {"percent": after})
            persisted = await self._save(wanted, entry, must=weight > self._state.weight)
            self._state = wanted
            self._publish()
        logger.info("weight {:g}% -> {:g}% by {}: {}", before, after, actor, reason)
        return Change(wanted.revision, persisted)

    async def decide(self, decided: Decided) -> bool:
        """Carry out what the rollout decided, in one transaction with its `writes`; False when it isn't saved yet.

        Raises:
            StoreError: it can't be saved and `must` be; nothing was changed.
            RefusedError: there is no canary to send anybody to.
        """
        weight = weight_of(decided.percent)
        async with self._lock:
            if weight:
                self.require_canary()
            wanted = replace(self._state, weight=weight, revision=self.revision + 1)
            routes = self._routes
            if decided.salt is not None:
                wanted = replace(wanted, salt=decided.salt)
            if decided.pinned:
                routes = _pinned(routes, decided.pinned)
                wanted = replace(wanted, routes=_dump(routes).decode())
            persisted = await self._save(wanted, decided.entry, decided.must, decided.writes)
            self._state, self._routes = wanted, routes
            self._publish()
        logger.info("{} by {}: {}", decided.entry.action, decided.entry.actor, decided.entry.reason)
        return persisted

    async def note(self, writes: Sequence[Write]) -> bool:
        """Save the rollout's progress; False when the store is out of order, then it is left to the next time."""
        async with self._lock:
            if self._journal.failure:
                return False
            try:
                await self._journal.write(self._state, None, writes)
            except StoreError:
                return False  # the journal logged it
            return True

    async def record(self, actor: str, action: str, reason: str, outcome: Any, writes: Sequence[Write]) -> None:
        """Put something on record that changes neither weight nor routes.

        Raises:
            StoreError: it can't be saved.
        """
        async with self._lock:
            await self._save(self._state, self._entry(actor, action, reason, None, outcome), True, writes)

    async def set_routes(self, routes: Sequence[Route], actor: str, reason: str, if_match: int | None = None) -> Change:
        """Replace all routes."""
        text = _dump(routes)
        if len(routes) > ROUTES_MAX or len(text) > ROUTES_BYTES:
            problem = f"at most {ROUTES_MAX} routes of together {ROUTES_BYTES // 1024} KiB"
            raise RefusedError(problem, 422, "invalid", {"routes": problem})
        async with self._lock:
            self.expect(if_match)
            wanted = replace(self._state, routes=text.decode(), revision=self.revision + 1)
            entry = self._entry(actor, "routes", reason, orjson.loads(_dump(self._routes)), orjson.loads(text))
            await self._save(wanted, entry, must=True)
            self._state, self._routes = wanted, tuple(routes)
            self._publish()
        logger.info("{} routes set by {}: {}", len(routes), actor, reason)
        return Change(wanted.revision, True)

    async def record_denied(self, peer: str, attempts: int) -> None:
        """Put failed sign-ins on record; while the store is out of order the log has to do."""
        logger.warning("{} requests from {} with a wrong token", attempts, peer)
        entry = self._entry(peer, "denied", "wrong token", None, {"attempts": attempts}, "refused")
        async with self._lock:
            if not self._journal.failure:
                try:
                    await self._journal.write(self._state, entry)
                except StoreError:
                    pass  # the journal logged it

    async def audit(self, limit: int, before: int | None = None) -> list[Row]:
        """The newest rows older than row `before`."""
        try:
            async with asyncio.timeout(_READ_PATIENCE):
                return await self._store.audit(limit, before)
        except TimeoutError:
            raise StoreError(f"state file {self._store.path}: reading hangs; check the disk") from None

    async def verify(self) -> Verification:
        """Walk the whole audit trail."""
        return await self._store.verify()

    def status(self) -> Status:
        """Everything the router knows about itself now."""
        now = self._clock.monotonic()
        return Status(
            version=VERSION,
            uptime=round(now - self._started, 1),
            revision=self.revision,
            percent=self.percent,
            intended_share=self._state.weight / WEIGHT_ONE,
            observed_share=self._rates.observed(),
            salt=status.fingerprint(self._state.salt),
            fallbacks=self.totals.counter(FALLBACKS),
            clients=self.totals.gauge(CLIENTS),
            tunnels=self.totals.gauge(TUNNELS),
            arms=status.arms(self.settings, self.table, self.totals, self._rates, self.minute()),
            workers=status.workers(self.workers(), now),
            store=status.StoreStatus(
                state="failed" if self._journal.failure else "ok",
                message=self._journal.failure,
                persisted=self.persisted,
            ),
        )

    def per_second(self, arm: int) -> float:
        """Requests that an arm gets a second."""
        return self._rates.per_second(arm)

    def observed_share(self) -> float | None:
        return self._rates.observed()

    def minute(self) -> int:
        """Minutes since the epoch, the clock of the session counters."""
        return int(self._clock.time() // 60)

    def sample(self) -> None:
        """Add one sample of the counters to the last minute."""
        own_weight = {route.label for route in self._routes if route.percent is not None}
        self._rates.add(take(self._clock.monotonic(), self.totals.series(), own_weight))

    async def tick(self) -> None:
        """What is due once a second."""
        self.sample()
        self._ticks += 1
        if self._ticks % _CATCH_UP_EVERY == 0 and self._journal.behind:
            async with self._lock:
                await self._journal.catch_up()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(1)
            try:
                await self.tick()
            except Exception:
                logger.exception("the ticker failed; it goes on")

    async def close(self) -> None:
        """Save what couldn't be saved, if that works now."""
        async with self._lock:
            if not await self._journal.catch_up():
                logger.error("weight {:g}% is not saved; a restart starts with the one before", self.percent)

    async def _save(self, wanted: State, entry: Entry, must: bool, writes: Sequence[Write] = ()) -> bool:
        """Save a change; False when it is kept for later, `StoreError` when it `must` be saved and can't."""
        if must or not self._journal.failure:
            try:
                await self._journal.write(wanted, entry, writes)
                return True
            except StoreError as error:
                if must:
                    raise StoreError(f"refused, because it can't be saved: {error}") from error
        self._journal.keep(wanted, entry, writes)
        return False

    def require_canary(self) -> None:
        """Raise `RefusedError` if there is no canary to send anybody to."""
        if not self.settings.canary:
            raise RefusedError("no canary endpoint is configured; start with --canary URL", 409, "no_canary")

    def expect(self, if_match: int | None) -> None:
        """Raise `RefusedError` if the state isn't the one of revision `if_match` any more."""
        if if_match is not None and if_match != self.revision:
            raise RefusedError(
                f"somebody changed the state since: revision is {self.revision}, not {if_match}; read it again",
                412,
                "precondition_failed",
            )

    def _entry(self, actor: str, action: str, reason: str, before: Any, after: Any, outcome: str = "ok") -> Entry:
        return Entry(self._clock.time(), actor, action, reason, before, after, outcome)

    def _heed_workers(self) -> None:
        """A table taken over from a killed supervisor may hold a weight that was lowered but couldn't be saved.

        An older one is what the supervisor was killed before it could replace.
        """
        found = self.table.read()
        if found is None or found[0] == 0 or found[1].salt != self._state.salt:
            return
        if found[1].weight < self._state.weight and found[1].revision > self.revision:
            before, after = self.percent, status.percent(found[1].weight)
            reason = "the workers were found with a lower weight than the saved one"
            entry = self._entry("router", "weight", reason, {"percent": before}, {"percent": after})
            self._state = replace(self._state, weight=found[1].weight, revision=found[1].revision + 1)
            self._journal.keep(self._state, entry)
            logger.warning("weight {:g}% instead of the saved {:g}%: {}", after, before, reason)

    def _take_routes(self) -> None:
        if self._state.routes is None:
            self._routes = self.settings.route
            return
        try:
            self._routes = _ROUTES.validate_json(self._state.routes)
        except ValidationError as error:
            raise StoreError(
                f"state file {self._store.path}: its routes can't be read by this version: {error}"
            ) from None

    def _publish(self) -> None:
        state = self._state
        self.table.publish(Routing(state.weight, state.salt, _dump(self._routes), state.revision))


def _pinned(routes: Sequence[Route], labels: Sequence[str]) -> tuple[Route, ...]:
    """`routes` with those of `labels` pinned to stable."""
    return tuple(
        route.model_copy(update={"pin": "stable", "percent": None}) if route.label in labels else route
        for route in routes
    )


def _dump(routes: Sequence[Route]) -> bytes:
    return orjson.dumps([route.model_dump(mode="json") for route in routes])

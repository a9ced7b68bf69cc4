"""`cutover serve`: the process that owns the state, the shared table, the listening sockets and the workers.

It carries no traffic. If it is killed, its workers serve on with the last weight, and the next supervisor with the
same state file takes over their sockets and counters before it lets them go.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from loguru import logger

from . import log
from .admin.app import create_app
from .admin.auth import tokens
from .admin.server import AdminServer, serve_admin
from .config import Settings, parse_listen
from .control import Control
from .errors import ConfigError, RouterError
from .fleet import Fleet, find_orphans
from .health import Prober
from .listeners import open_listeners
from .notify.herald import Herald
from .proxy.tls import listener_context
from .proxy.worker import new_loop
from .rollout.driver import Rollouts
from .store import Store
from .table import Table

#: Settings that need a restart of the supervisor; a reload keeps them as they are.
_FIXED = ("listen", "admin", "state", "admin_token", "viewer_token", "open_metrics", "notify")


def run(settings: Settings, reload: Callable[[], Settings]) -> int:
    """Serve until SIGTERM or SIGINT; SIGHUP calls `reload` for new settings. Raises `RouterError` on a bad start."""
    log.setup(settings)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(Supervisor(settings, reload).run())


class Supervisor:
    """Composition of the control plane and the order in which its parts start and stop."""

    def __init__(self, settings: Settings, reload: Callable[[], Settings]) -> None:
        self._settings = settings
        self._reload = reload
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        settings = self._settings
        if not settings.stable:
            raise ConfigError("--stable: no upstream is configured; give the URL of the backend that serves today")
        listener_context(settings.tls)
        store = await Store.open(settings.state)
        code = 1
        try:
            code = await self._serve(store)
        finally:
            if not await store.close():
                logger.error("state file {}: closing hangs; ending without it; check the disk", settings.state)
                os._exit(code)  # an orderly end would wait for SQLite's thread
        return code

    async def _serve(self, store: Store) -> int:
        settings = self._settings
        inherited = find_orphans(settings.state, settings.listen)
        table = inherited.table or Table.create()
        listeners = open_listeners(settings.listen, settings.workers, inherited.listeners)
        self._fleet = fleet = Fleet(settings, table, listeners)
        fleet.reserve(inherited.orphans)
        self._control = control = Control(settings, table, store, workers=fleet.workers)
        rollouts = Rollouts(control, store)
        herald = Herald(settings.notify, f"cutover://{settings.listen}", rollouts)
        self._prober = prober = Prober(settings, table, inherited.down, herald.endpoint_changed)
        admin: AdminServer | None = None
        try:
            await control.open()
            await rollouts.open()
            self._listen_for_signals()
            app = create_app(control, rollouts, tokens(settings), self._unready)
            admin = await serve_admin(app, *parse_listen(settings.admin))
            await fleet.start()
            fleet.adopt(inherited.orphans)
            prober.start()
            tickers = [asyncio.create_task(part.run()) for part in (control, rollouts, herald)]
            self._announce(listeners[0].getsockname(), admin, len(inherited.orphans))
            await self._stop.wait()
            logger.info("draining; at most {:g} s", settings.timeouts.drain)
            await fleet.stop()
            for ticker in tickers:
                ticker.cancel()
            await prober.stop()
            await control.close()
        finally:
            fleet.kill()
            if admin is not None:
                await admin.stop()
        logger.info("stopped")
        return 0

    def _announce(self, listening: tuple[str, int], admin: AdminServer, adopted: int) -> None:
        if adopted:
            logger.info("took over from a supervisor that died; {} of its workers are finishing", adopted)
        host, port = listening[:2]
        scheme = "https" if self._settings.tls.cert else "http"
        logger.info(
            "serving {}://{}:{} with {} {}workers at weight {}%; admin on http://{}:{}",
            scheme,
            f"[{host}]" if ":" in host else host,
            port,
            self._settings.workers,
            "compiled " if self._fleet.is_compiled else "",
            self._control.percent,
            *admin.address,
        )

    def _unready(self) -> str:
        """Why traffic can't be taken, in words; empty when it can."""
        if self._stop.is_set():
            return "draining"
        if not self._fleet.ready:
            return "not every worker accepts connections"
        return ""

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._begin_reload)

    def _begin_reload(self) -> None:
        if self._tasks:
            logger.warning("a reload is under way; this one is ignored")
            return
        task = asyncio.get_running_loop().create_task(self._reload_all())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload_all(self) -> None:
        """SIGHUP: settings read anew, every worker replaced; on any error everything stays as it was."""
        try:
            wanted = self._reload()
            listener_context(wanted.tls)
            fixed = {name: getattr(self._settings, name) for name in _FIXED}
            changed = [name for name in _FIXED if getattr(wanted, name) != fixed[name]]
            if changed:
                logger.warning("{} can't change while running; restart for that", ", ".join(changed))
            settings = wanted.model_copy(update=fixed)
            self._prober.expect(settings)
            await self._fleet.replace(settings)
            self._settings = settings
            await self._control.reconfigure(settings)
            await self._prober.reconfigure(settings)
            log.setup(settings)
        except (RouterError, OSError) as error:
            self._prober.expect(self._settings)
            logger.error("reload failed, the settings in force stay: {}", error)
        else:
            logger.info("reloaded; {} workers replaced", settings.workers)

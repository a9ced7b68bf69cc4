"""The worker processes of one supervisor: started, watched, replaced without a gap, adopted from a dead one.

A slot is a share of the listening sockets with a worker to accept from it. A worker that dies is started anew; one that
is replaced stops accepting only when its successor has begun.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from loguru import logger

from . import accelerate
from .config import Settings
from .errors import RouterError
from .listeners import open_listeners
from .proxy import handoff
from .status import WorkerInfo
from .table import BLOCKS, PID, Table

#: Seconds for a worker to import, map and listen; far above what a loaded machine needs.
START_TIMEOUT = 30.0
#: A worker that lived shorter than this is restarted later each time, up to RESTART_MAX seconds.
SHORT_LIFE = 5.0
RESTART_MAX = 10.0


@dataclass(eq=False)
class _Worker:
    """A process that we started, or one adopted from a dead supervisor (without `process`)."""

    pid: int
    slot: int
    block: int
    channel: socket.socket
    process: asyncio.subprocess.Process | None
    started_at: float = field(default_factory=time.monotonic)
    state: str = "starting"


@dataclass
class Inheritance:
    """What workers of a dead supervisor still hold."""

    table: Table | None = None
    listeners: list[socket.socket] = field(default_factory=list)
    orphans: list[_Worker] = field(default_factory=list)
    down: set[tuple[int, str]] = field(default_factory=set)  # (arm, URL) of endpoints that failed their checks


def find_orphans(state: Path, listen: str) -> Inheritance:
    """Ask every worker left beside a state file for its sockets and its table."""
    found = Inheritance()
    for path in sorted(handoff.directory(state).glob("worker-*.sock")):
        channel = handoff.connect(path)
        if channel is None:
            continue
        try:
            handoff.send(channel, "adopt")
            received = handoff.receive(channel)
        except OSError:
            received = None
        if received is None:
            channel.close()
            continue
        _inherit(found, channel, *received, listen=listen)
    return found


def _inherit(found: Inheritance, channel: socket.socket, have: dict[str, Any], fds: list[int], listen: str) -> None:
    table_fd, *listeners = fds
    if found.table is None:
        try:
            found.table = Table.attach(table_fd)
            table_fd = -1
        except RouterError as error:
            logger.warning("counters start anew: {}", error)
    if table_fd >= 0:
        os.close(table_fd)
    if found.table is not None:
        for arm, urls in enumerate(have["arms"]):
            found.down |= {(arm, url) for index, url in enumerate(urls) if not found.table.up(arm, index)}
    for fd in listeners:
        if have["listen"] == listen:
            found.listeners.append(socket.socket(fileno=fd))
        else:
            os.close(fd)
    pid, slot, block = (have[name] for name in ("pid", "slot", "block"))
    found.orphans.append(_Worker(pid, slot, block, channel, None, state="retiring"))


class Fleet:
    """All workers. `ready` when every slot has one that accepts."""

    def __init__(self, settings: Settings, table: Table, listeners: list[socket.socket]) -> None:
        self._settings = settings
        self._table = table
        self._listeners = listeners
        self._current: dict[int, _Worker] = {}
        self._all: set[_Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._code = (accelerate.find() if settings.compiled else None) or accelerate.PACKAGE.parent

    @property
    def is_compiled(self) -> bool:
        """Whether workers run the compiled data plane."""
        return self._code != accelerate.PACKAGE.parent

    @property
    def ready(self) -> bool:
        return (
            not self._stopping
            and len(self._current) == self._settings.workers
            and all(worker.state == "serving" for worker in self._current.values())
        )

    def workers(self) -> list[WorkerInfo]:
        ordered = sorted(self._all, key=lambda worker: (worker.slot, worker.started_at))
        return [WorkerInfo(found.pid, found.slot, found.block, found.state, found.started_at) for found in ordered]

    async def start(self) -> None:
        """Start a worker in every slot; `RouterError` when one can't."""
        started = await asyncio.gather(
            *(self._spawn(slot) for slot in range(self._settings.workers)), return_exceptions=True
        )
        for result in started:
            if isinstance(result, BaseException):
                raise result
            self._enlist(result)

    def adopt(self, orphans: list[_Worker]) -> None:
        """Let workers of a dead supervisor go, now that ours accept from the same sockets."""
        for orphan in orphans:
            self._all.add(orphan)
            self._retire(orphan)
            self._keep(self._watch_orphan(orphan))

    def reserve(self, orphans: list[_Worker]) -> None:
        """Keep the blocks of orphans out of use while they live."""
        self._all.update(orphans)

    async def replace(self, settings: Settings) -> None:
        """Start a whole new set with `settings`, then retire the old one; on an error the old one stays."""
        previous, before = dict(self._current), self._settings
        self._listeners = open_listeners(settings.listen, settings.workers, self._listeners)
        self._settings = settings
        results = await asyncio.gather(*(self._spawn(slot) for slot in range(settings.workers)), return_exceptions=True)
        fresh = [result for result in results if isinstance(result, _Worker)]
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            self._settings = before
            for worker in fresh:
                self._keep(self._watch(worker))
                self._retire(worker)
            raise errors[0]
        self._current.clear()
        for worker in fresh:
            self._enlist(worker)
        for old in previous.values():
            self._retire(old)

    async def stop(self) -> None:
        """SIGTERM: drain every worker, then end what is left."""
        self._stopping = True
        for listener in self._listeners:
            listener.close()
        for worker in self._all:
            worker.state = "draining"
            _signal(worker.pid, signal.SIGTERM)
        deadline = self._settings.timeouts.drain + 2
        try:
            async with asyncio.timeout(deadline):
                while self._all:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            for worker in self._all:
                logger.warning("worker {} did not end within {:g} s; killing it", worker.pid, deadline)
                _signal(worker.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Leave nothing behind: what `stop` didn't end, and everything after a failed start."""
        self._stopping = True
        for worker in self._all:
            if worker.process is not None:
                _signal(worker.pid, signal.SIGKILL)

    def _enlist(self, worker: _Worker) -> None:
        worker.state = "serving"
        self._current[worker.slot] = worker
        self._keep(self._watch(worker))

    def _retire(self, worker: _Worker) -> None:
        worker.state = "retiring"
        try:
            handoff.send(worker.channel, "retire")
        except OSError:
            pass  # it has ended by itself

    async def _spawn(self, slot: int) -> _Worker:
        ours, theirs = handoff.pair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "router.proxy.worker",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": str(self._code)},
            )
        worker = _Worker(process.pid, slot, self._free_block(), ours, process)
        self._all.add(worker)
        try:
            await self._introduce(worker)
        except BaseException:
            _signal(worker.pid, signal.SIGKILL)
            await process.wait()
            self._forget(worker)
            raise
        return worker

    async def _introduce(self, worker: _Worker) -> None:
        """Give a new process its part and wait until it accepts."""
        settings = self._settings.model_dump(mode="json", exclude={"admin_token", "viewer_token"})
        mine = self._listeners[worker.slot :: self._settings.workers]
        start = {"settings": settings, "slot": worker.slot, "block": worker.block}
        handoff.send(worker.channel, "start", start, [self._table.fd, *(found.fileno() for found in mine)])
        worker.channel.setblocking(False)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                answer = await asyncio.get_running_loop().sock_recv(worker.channel, 4096)
        except TimeoutError:
            raise RouterError(f"worker {worker.slot} did not start within {START_TIMEOUT:g} s") from None
        if not answer or orjson.loads(answer).get("kind") != "ready":
            raise RouterError(f"worker {worker.slot} ended while starting; its log says why")

    def _free_block(self) -> int:
        taken = {worker.block for worker in self._all}
        for block in range(BLOCKS):
            if block not in taken:
                return block
        raise RouterError(f"{BLOCKS} workers are still ending; try again when some have")

    async def _watch(self, worker: _Worker) -> None:
        assert worker.process is not None
        code = await worker.process.wait()
        expected = worker.state in ("retiring", "draining")
        self._forget(worker)
        if expected or self._stopping:
            return
        logger.error("worker {} (pid {}) ended with {}; starting another", worker.slot, worker.pid, _outcome(code))
        await self._restart(worker)

    async def _restart(self, dead: _Worker) -> None:
        delay = 0.0 if time.monotonic() - dead.started_at > SHORT_LIFE else 0.5
        while not self._stopping and self._current.get(dead.slot) is dead:
            await asyncio.sleep(delay)
            if self._current.get(dead.slot) is not dead:
                return
            try:
                worker = await self._spawn(dead.slot)
            except (RouterError, OSError) as error:
                logger.error("worker {} can't be started: {}", dead.slot, error)
                delay = min(max(delay, 0.25) * 2, RESTART_MAX)
                continue
            if self._stopping or self._current.get(dead.slot) is not dead:
                self._keep(self._watch(worker))
                self._retire(worker)
            else:
                self._enlist(worker)
            return

    async def _watch_orphan(self, orphan: _Worker) -> None:
        """An adopted process isn't our child: the end of its channel is its end."""
        orphan.channel.setblocking(False)
        while await asyncio.get_running_loop().sock_recv(orphan.channel, 4096):
            pass
        self._forget(orphan)

    def _forget(self, worker: _Worker) -> None:
        worker.state = "ended"
        worker.channel.close()
        self._all.discard(worker)
        self._table.block(worker.block).cells[PID] = 0

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _outcome(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

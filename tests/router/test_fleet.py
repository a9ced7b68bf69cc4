"""Worker processes as the supervisor sees them. Crashes, reloads and signals under load are tests/faults' business."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from router.config import Settings
from router.errors import RouterError
from router.fleet import Fleet, find_orphans
from router.listeners import open_listeners
from router.table import CANARY, STABLE, Table
from tests.router.fakes import make_settings

pytestmark = pytest.mark.slow

#: Bound of a wait for a process; far above what a loaded machine needs.
PATIENCE = 40.0


async def answer(request: bytes, port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (processes set no event of ours)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def fleet(folder: Path, **changes: Any) -> AsyncIterator[tuple[Fleet, Settings, int]]:
    """A started fleet, its settings and its port; nothing of it is left afterwards."""
    settings = make_settings(folder, listen="127.0.0.1:0", compiled=False, **changes)
    table = Table.create()
    table.set_up(STABLE, [True])
    table.set_up(CANARY, [True])
    listeners = open_listeners(settings.listen, settings.workers, [])
    port = listeners[0].getsockname()[1]
    found = Fleet(settings, table, listeners)
    try:
        await found.start()
        yield found, settings, port
    finally:
        await found.stop()
        found.kill()
        for listener in listeners:
            listener.close()
        os.close(table.fd)


def is_ready(found: Fleet) -> bool:
    return found.ready


BAD = b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"  # answered by the worker itself


async def test_a_fleet_from_start_to_stop(tmp_path: Path) -> None:
    async with fleet(tmp_path, workers=2) as (found, _, port):
        assert is_ready(found)
        workers = found.workers()
        assert [(worker.slot, worker.state) for worker in workers] == [(0, "serving"), (1, "serving")]
        assert len({worker.pid for worker in workers}) == len({worker.block for worker in workers}) == 2
        assert (await answer(BAD, port)).startswith(b"HTTP/1.1 400 ")
    assert not is_ready(found)
    assert found.workers() == []
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker.pid, 0)


async def test_a_dead_worker_is_replaced_in_its_slot(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (found, _, port):
        (before,) = found.workers()
        os.kill(before.pid, signal.SIGKILL)
        await until(lambda: found.workers() and found.workers()[0].pid != before.pid and found.ready)
        (after,) = found.workers()
        assert (after.slot, after.state) == (before.slot, "serving")
        assert (await answer(BAD, port)).startswith(b"HTTP/1.1 400 ")


async def test_a_replacement_that_cannot_start_changes_nothing(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (found, settings, port):
        before = [worker.pid for worker in found.workers()]
        broken = settings.model_copy(
            update={"tls": settings.tls.model_copy(update={"cert": tmp_path / "no.pem", "key": tmp_path / "no.key"})}
        )
        with pytest.raises(RouterError, match="ended while starting"):
            await found.replace(broken)
        assert [worker.pid for worker in found.workers()] == before
        assert is_ready(found)
        assert (await answer(BAD, port)).startswith(b"HTTP/1.1 400 ")
        os.kill(before[0], signal.SIGKILL)  # whoever follows it must not get the settings that were refused
        await until(lambda: found.ready and before[0] not in {worker.pid for worker in found.workers()})
        before = [worker.pid for worker in found.workers()]
        await found.replace(settings)
        await until(lambda: not {worker.pid for worker in found.workers()} & set(before))
        assert is_ready(found)


async def test_orphans_hand_over_sockets_and_table(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (found, settings, port):
        (worker,) = found.workers()
        inherited = find_orphans(settings.state, settings.listen)
        try:
            assert [orphan.pid for orphan in inherited.orphans] == [worker.pid]
            assert [listener.getsockname() for listener in inherited.listeners] == [("127.0.0.1", port)]
            assert inherited.table is not None
            assert inherited.table.up(CANARY, 0)
            other = find_orphans(settings.state, "127.0.0.1:1")
            assert other.listeners == [], "sockets of another address are of no use"
            assert len(other.orphans) == 1
            for orphan in (*inherited.orphans, *other.orphans):
                orphan.channel.close()
            if other.table is not None:
                os.close(other.table.fd)
        finally:
            for listener in inherited.listeners:
                listener.close()
            if inherited.table is not None:
                os.close(inherited.table.fd)


def test_no_worker_leaves_no_orphans(tmp_path: Path) -> None:
    found = find_orphans(tmp_path / "state.db", "127.0.0.1:0")
    assert (found.table, found.listeners, found.orphans) == (None, [], [])


async def test_a_fleet_that_cannot_start_says_so(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, compiled=False)
    settings = settings.model_copy(
        update={"tls": settings.tls.model_copy(update={"cert": tmp_path / "no.pem", "key": tmp_path / "no.key"})}
    )
    table = Table.create()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Fleet(settings, table, [listener])
        with pytest.raises(RouterError, match="ended while starting"):
            await found.start()
        assert found.workers() == []
    os.close(table.fd)

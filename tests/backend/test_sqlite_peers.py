"""Real backends on one SQLite file: together, beside a lock, killed, and on a full disk.

Each write is a commit of its own with three syncs to the disk, and these are what the load below waits for.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.auth.cookie import SessionCookie
from tests.backend.database_peers import EXCLUSIVE, RESERVED, held
from tests.backend.processes import SECRET, BackendProcess, running_backend

pytestmark = pytest.mark.slow

RATE = 200
SECONDS = 5
ROUNDS = 6


@asynccontextmanager
async def signed_in(backend: BackendProcess) -> AsyncIterator[httpx.AsyncClient]:
    session = SessionCookie(SECRET).seal("ada@example.com", int(time.time()))
    headers = {"cookie": f"session={session}; csrf={'c' * 32}"}
    async with httpx.AsyncClient(base_url=backend.url, headers=headers, timeout=30) as client:
        yield client


def rows(database: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as db:
        return db.execute(sql).fetchall()


def names(database: Path) -> Counter[str]:
    return Counter(name for (name,) in rows(database, "SELECT name FROM api_keys"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sqlite" / "app_data.db"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[BackendProcess]:
    with running_backend(tmp_path) as started:
        yield started


class Mix:
    """Writes and reads by turns to several backends; knows which keys must be there afterwards."""

    def __init__(self, clients: list[httpx.AsyncClient]) -> None:
        self._clients = clients
        self.keys: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []

    async def request(self, number: int) -> None:
        client = self._clients[number % len(self._clients)]
        started = time.perf_counter()
        match number % 10:
            case 0 | 1:
                answer = await client.post("/api_keys", json={"name": f"key {number}"})
                if answer.status_code == 201:
                    self.keys[answer.json()["Key"]] = f"key {number}"
            case 2 if self.keys:
                key, _ = self.keys.popitem()
                answer = await client.delete(f"/api_keys/{key}")
            case 3 | 4:
                answer = await client.get("/users")
            case _:
                answer = await client.get("/users/db-has-users")
        self.seconds.append(time.perf_counter() - started)
        self.statuses[answer.status_code] += 1


async def test_two_backends_on_one_file(tmp_path: Path, database: Path) -> None:
    with running_backend(tmp_path) as one, running_backend(tmp_path) as two:
        async with signed_in(one) as first, signed_in(two) as second, asyncio.TaskGroup() as group:
            mix = Mix([first, second])
            started = time.perf_counter()
            for number in range(RATE * SECONDS):
                await asyncio.sleep(started + number / RATE - time.perf_counter())
                group.create_task(mix.request(number))
        took = sorted(mix.seconds)
        p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99))
        print(f"{len(took)} requests: {dict(mix.statuses)}, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        assert set(mix.statuses) == {200, 201, 204}
        assert sum(mix.statuses.values()) == RATE * SECONDS
        assert names(database) == Counter(mix.keys.values())
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]
        lines = [line for backend in (one, two) for line in backend.lines if line["level"] != "INFO"]
        # There is no ingestion service here, which the poller says.
        assert not [line for line in lines if line["logger"] != "backend.ingest.poller"]


async def test_two_first_users_on_two_backends(tmp_path: Path, database: Path) -> None:
    with running_backend(tmp_path) as one, running_backend(tmp_path) as two:
        async with signed_in(one) as first, signed_in(two) as second:
            body = {"password": "correct horse"}
            answers = await asyncio.gather(
                *(
                    client.post("/users/create-first-user", json={**body, "email": f"{number}@example.com"})
                    for number in range(4)
                    for client in (first, second)
                )
            )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert len(rows(database, "SELECT * FROM users")) == 1


async def test_a_lock_of_two_seconds_is_waited_for(backend: BackendProcess, database: Path) -> None:
    async with signed_in(backend) as client:
        with held(database, EXCLUSIVE) as holder:
            calls = [client.post("/api_keys", json={"name": str(number)}) for number in range(10)]
            calls += [client.get("/users/db-has-users") for _ in range(10)]
            waiting = [asyncio.ensure_future(call) for call in calls]
            assert not (await asyncio.wait(waiting, timeout=2))[0]
            await asyncio.to_thread(holder.release)
        answers = await asyncio.gather(*waiting)
    assert Counter(answer.status_code for answer in answers) == {201: 10, 200: 10}
    assert names(database) == Counter(str(number) for number in range(10))


async def test_a_lock_for_longer_is_answered_503(backend: BackendProcess, database: Path) -> None:
    async with signed_in(backend) as client:
        kept = (await client.post("/api_keys", json={"name": "kept"})).json()
        with held(database, EXCLUSIVE):
            answers = await asyncio.gather(
                client.post("/api_keys", json={"name": "lost"}),
                client.delete(f"/api_keys/{kept['Key']}"),
                client.get("/api_keys"),
                client.get("/users/db-has-users"),
            )
            health = await client.get("/health")
        for answer in answers:
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json() == {
                "error": "the database app_data.db is locked by another process; nothing was changed, try again"
            }
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        assert names(database) == {"kept": 1}
        assert (await client.get("/health")).json()["services"]["sqlite"] == "ok"
        metrics = (await client.get("/metrics")).text
    assert 'http_route="/api_keys/{key}"' in metrics
    assert kept["Key"] not in metrics
    assert kept["Key"] not in str(backend.lines)
    assert any(line["level"] == "WARNING" for line in backend.lines)


async def test_a_write_lock_stops_no_read(backend: BackendProcess, database: Path) -> None:
    async with signed_in(backend) as client:
        with held(database, RESERVED):
            assert (await client.get("/users/db-has-users")).status_code == 200


async def test_a_killed_backend_loses_no_answered_write(tmp_path: Path, database: Path) -> None:
    chance = random.Random(1)
    answered: list[str] = []
    for round_number in range(ROUNDS):
        with running_backend(tmp_path) as backend:
            async with signed_in(backend) as client:
                writes = Writes(client, round_number)
                writing = asyncio.ensure_future(writes.until_killed())
                for _ in range(chance.randrange(2, 12)):
                    await writes.done.acquire()
                os.kill(backend.process.pid, signal.SIGKILL)
                await writing
                answered += writes.answered
        stored = names(database)
        assert set(answered) <= set(stored)
        assert set(stored.values()) == {1}
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    print(f"{len(answered)} answered writes in {ROUNDS} rounds, {sum(stored.values())} stored")


class Writes:
    """Four writers at once, so that a kill falls into the middle of something; `done` counts what was answered."""

    def __init__(self, client: httpx.AsyncClient, round_number: int) -> None:
        self._client = client
        self._round = round_number
        self.answered: list[str] = []
        self.done = asyncio.Semaphore(0)

    async def until_killed(self) -> None:
        await asyncio.gather(*(self._writer(number) for number in range(4)))

    async def _writer(self, number: int) -> None:
        try:
            for count in range(10_000):
                name = f"{self._round}.{number}.{count}"
                answer = await self._client.post("/api_keys", json={"name": name})
                assert answer.status_code == 201
                self.answered.append(name)
                self.done.release()
        except httpx.TransportError:
            pass


async def test_a_full_disk(backend: BackendProcess, database: Path) -> None:
    """No file of the backend's may grow beyond the database's size now, until the limit is lifted."""
    pid = backend.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    async with signed_in(backend) as client:
        stored = []

        async def write(name: str) -> httpx.Response:
            answer = await client.post("/api_keys", json={"name": name})
            if answer.status_code == 201:
                stored.append(name)
            return answer

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (database.stat().st_size, hard))  # noqa: ASYNC240
        answers = [await write(f"{number}" * 3000) for number in range(10)]
        assert {answer.status_code for answer in answers} <= {201, 503}
        assert answers[-1].status_code == 503
        assert answers[-1].headers["retry-after"] == "5"
        assert (await client.get("/api_keys")).status_code == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert (await write("x" * 3000)).status_code == 201
    assert names(database) == Counter(stored)
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]

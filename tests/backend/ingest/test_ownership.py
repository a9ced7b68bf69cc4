"""Who owns the file, and how it changes hands: on real files, with a real process that holds one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter

import pytest

from backend.duck import Duck
from backend.errors import DatabaseError, RequestError
from backend.ingest.merge import merge
from backend.ingest.ownership import Role, Step
from backend.ingest.stored import Stored
from tests.backend.ingest.handover import Running, expected, paths, running
from tests.standins.spanlog import append
from tests.standins.spans import Source

ROOT = Path(__file__).parents[3]
HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has the file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.communicate("")


class Sender:
    def __init__(self, folder: Path) -> None:
        self._log = paths(folder)[0]
        self._source = Source(bad_every=50).entries()
        self.sent: list[Stored] = []

    def send(self, count: int) -> None:
        fresh = list(islice(self._source, count))
        append(self._log, fresh)
        self.sent += fresh


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    found = Sender(tmp_path)
    found.send(300)
    return found


async def test_there_and_back_nothing_is_lost_or_doubled(tmp_path: Path, sender: Sender) -> None:
    file = paths(tmp_path)[1]
    async with running(tmp_path) as backend:
        for role in (Role.FOLLOWER, Role.OWNER, Role.FOLLOWER):
            await backend.drained()
            sender.send(100)
            await backend.to(role)
            assert (backend.ownership.role, backend.ownership.failure) == (role, None)
            await backend.drained()
            assert await backend.ids() == expected(sender.sent)
            if role is Role.FOLLOWER:
                with held(file):  # a Go backend can start
                    pass
        assert not file.with_name(file.name + ".wal").exists()


async def test_the_shared_cursor_is_the_files_when_it_is_let_go(tmp_path: Path, sender: Sender) -> None:
    async with running(tmp_path, pause=3600) as backend:
        await backend.drained()
        sender.send(50)
        await backend.drained()
        await backend.to(Role.FOLLOWER)
        at_handover = sender.sent[-1].key
        assert await backend.shared.read() == at_handover
        sender.send(10)
        await backend.drained()
        assert await backend.shared.read() == at_handover


async def test_a_held_file_is_not_taken_over(tmp_path: Path, sender: Sender) -> None:
    with held(paths(tmp_path)[1]):
        async with running(tmp_path) as backend:
            await backend.to(Role.OWNER)
            assert backend.ownership.role is Role.FOLLOWER
            assert backend.ownership.failure is not None
            assert "is held by" in backend.ownership.failure
            sender.send(50)
            await backend.drained()
            assert await backend.ids() == expected(sender.sent)


async def test_an_owner_takes_what_the_replica_has_and_go_passed_over(tmp_path: Path, sender: Sender) -> None:
    """The shared cursor is at the end, and the shared file is empty: Go's worst case."""
    with held(paths(tmp_path)[1]):
        async with running(tmp_path) as backend:
            await backend.drained()
            backend.shared.follow(sender.sent[-1].key)
    async with running(tmp_path) as backend:
        assert backend.ownership.role is Role.OWNER
        async with asyncio.timeout(30):
            while await backend.ids() != expected(sender.sent):
                pass


async def test_one_hand_over_at_a_time(tmp_path: Path, sender: Sender) -> None:
    async with running(tmp_path) as backend:
        backend.ownership.hand_over(Role.FOLLOWER)
        with pytest.raises(RequestError, match="already"):
            backend.ownership.hand_over(Role.OWNER)
        await backend.until(lambda: backend.ownership.step is Step.RESTING)
        await backend.to(Role.FOLLOWER)
        assert (backend.ownership.role, backend.ownership.failure) == (Role.FOLLOWER, None)


@pytest.mark.parametrize("fails_at", [1, 2])
async def test_a_hand_over_that_fails_changes_nothing(
    tmp_path: Path, sender: Sender, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    calls = 0

    async def failing(*files: Duck) -> int:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise DatabaseError("the disk is full")
        return await merge(*files)

    monkeypatch.setattr("backend.ingest.ownership.merge", failing)
    async with running(tmp_path) as backend:
        await backend.to(Role.FOLLOWER)
        assert (backend.ownership.role, backend.ownership.failure) == (Role.OWNER, "the disk is full")
        sender.send(50)
        await backend.drained()
        assert await backend.ids() == expected(sender.sent)
        await backend.to(Role.FOLLOWER)
        assert (backend.ownership.role, backend.ownership.failure) == (Role.FOLLOWER, None)
        await backend.drained()
        assert await backend.ids() == expected(sender.sent)


async def _reads(backend: Running, stopped: asyncio.Event) -> tuple[float, list[int]]:
    """The longest time between two answers, and how many spans each had."""
    longest, counts, last = 0.0, [], perf_counter()
    while not stopped.is_set():
        counts.append(len(await backend.duck.read("merge_ids", {"first": 0, "most": 10**6})))
        now = perf_counter()
        longest, last = max(longest, now - last), now
    return longest, counts


async def test_reads_go_on_and_never_show_less(tmp_path: Path, sender: Sender) -> None:
    async with running(tmp_path) as backend:
        await backend.drained()
        stopped = asyncio.Event()
        reading = asyncio.create_task(_reads(backend, stopped))
        for role in (Role.FOLLOWER, Role.OWNER):
            sender.send(200)
            await backend.to(role)
        stopped.set()
        longest, counts = await reading
    print(f"longest gap between two answers: {longest * 1000:.0f} ms of {len(counts)}")
    assert counts == sorted(counts)
    assert longest < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("step", [Step.OPENING, Step.COPYING, Step.SETTLING, Step.SWITCHING])
@pytest.mark.parametrize("to", list(Role))
async def test_killed_at_each_step(tmp_path: Path, sender: Sender, to: Role, step: Step) -> None:
    """Then started again, alone or beside a peer that took the file: the same spans, once."""
    if to is Role.OWNER:
        async with running(tmp_path, "follower") as backend:
            await backend.drained()
    role = "owner" if to is Role.FOLLOWER else "follower"
    command = [sys.executable, "-m", "tests.backend.ingest.handover", str(tmp_path), role, to.value, step.value]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=60, capture_output=True)
    assert done.returncode == -9, done.stderr[-2000:]
    sender.send(100)
    for role in ("follower", "owner"):
        async with running(tmp_path, role) as backend:
            await backend.drained()
            async with asyncio.timeout(30):
                while await backend.ids() != expected(sender.sent):
                    pass
            assert await backend.shared.read() <= sender.sent[-1].key

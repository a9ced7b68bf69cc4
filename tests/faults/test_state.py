"""A state file that can't be written: traffic and a roll-back don't wait for it, a raise is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import HANG, Upstream, is_alive, wait_until
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def _persisted(router: Router) -> bool:
    persisted: bool = router.status()["store"]["persisted"]
    return persisted


def test_locked_state_file_under_load(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    with running_router(tmp_path, stable, canary, percent=50) as router:
        with running_load(router.port) as load:
            load.more(100)
            with _locked(router.state):
                load.more(100)
                refused, problem = router.ask("PUT", "/api/v1/weight", {"percent": 75, "reason": "raise"})
                unchanged = router.weight()
                lowered, text = router.ask("PUT", "/api/v1/weight", {"percent": 10, "reason": "roll back"})
                in_force, behind = router.weight(), not _persisted(router)
                load.more(300)
            wait_until(lambda: _persisted(router), "what was kept is saved")
            load.more(100)
        router.kill_all()
        router.start()
        kept = router.weight()
    note = f"raise: {refused}, lower: {lowered} and in force; after the lock and a kill -9 of all: {kept:g} %"
    row = figures.add("state file locked, weight raised and lowered", load.events, note)
    assert not load.failures(), row
    assert (refused, unchanged) == (503, 50)
    assert "locked" in problem
    assert lowered == 200
    assert json.loads(text)["persisted"] is False
    assert (in_force, behind, kept) == (10, True, 10)


#: Loaded before libc: writing to disk waits while the file named in HANG exists, as it does on a disk that hangs.
HUNG_DISK = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void wait_for_disk(void) { while (access(getenv("HANG"), F_OK) == 0) usleep(10000); }
int fsync(int fd) { wait_for_disk(); return syscall(SYS_fsync, fd); }
int fdatasync(int fd) { wait_for_disk(); return syscall(SYS_fdatasync, fd); }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to make fsync hang")
def test_hung_disk_under_load(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    """Neither traffic nor a roll-back nor the end of the router waits for a disk that never answers."""
    library, hang = tmp_path / "hung.so", tmp_path / "hang"
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=HUNG_DISK, text=True, check=True)
    router = Router(tmp_path, stable, canary, "", 1)
    router.environ = {"LD_PRELOAD": str(library), "HANG": str(hang)}
    try:
        router.start()
        router.set_weight(50)
        (worker,) = router.workers()
        with running_load(router.port) as load:
            load.more(100)
            hang.touch()
            refused, problem = router.ask("PUT", "/api/v1/weight", {"percent": 75, "reason": "raise"})
            lowered, _ = router.ask("PUT", "/api/v1/weight", {"percent": 10, "reason": "roll back"})
            in_force, behind = router.weight(), not _persisted(router)
            load.more(300)
        began = time.monotonic()
        router.process.send_signal(signal.SIGTERM)
        code = router.process.wait(HANG)
        seconds = time.monotonic() - began
        left = is_alive(worker)
        text = router.text()
    finally:
        router.end()
    note = f"raise: {refused}, lower: {lowered} and in force; SIGTERM: exit code {code} after {seconds:.1f} s"
    row = figures.add("disk of the state file hangs", load.events, note)
    assert not load.failures(), row
    assert (refused, lowered, in_force, behind) == (503, 200, 10, True)
    assert "check the disk" in problem
    assert (code, left) == (0, False)
    assert "closing hangs" in text


#: Runs its arguments with a small disk at $1 that only they see.
SMALL_DISK = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
PLAN = {
    "step": [{"name": "some", "percent": 10, "hold": "1s"}, {"name": "half", "percent": 50}],
    "watch": {"for": "1h"},
    "gate": [{"metric": "health"}],
}


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """No byte left until the block ends."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    yield
    filler.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a disk of its own")
def test_full_disk_under_load(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures) -> None:
    """A step that is over stays; what isn't saved is saved when there is room again."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no disk of its own: unshare -m isn't allowed here")
    (tmp_path / "disk").mkdir()
    wrapper = ["unshare", "-m", "sh", "-c", SMALL_DISK, "sh", str(tmp_path / "disk")]
    router = Router(tmp_path, stable, canary, "", 1)
    router.wrapper, router.state = wrapper, tmp_path / "disk" / "state.db"
    try:
        router.start()
        disk = Path(f"/proc/{router.process.pid}/root{tmp_path}/disk")  # ours is empty
        with running_load(router.port) as load:
            load.more(100)
            status, text = router.ask("POST", "/api/v1/rollouts", {"plan": PLAN, "reason": "fault case"})
            assert status == 200, text
            with _filled(disk):
                wait_until(lambda: "disk is full" in router.ask("GET", "/api/v1/rollout")[1], "the plan can't go on")
                held = router.weight()
                refused, problem = router.ask("PUT", "/api/v1/weight", {"percent": 75, "reason": "raise"})
                lowered, _ = router.ask("PUT", "/api/v1/weight", {"percent": 5, "reason": "roll back"})
                in_force, behind = router.weight(), not _persisted(router)
                load.more(300)
            wait_until(lambda: _persisted(router), "what was kept is saved")
            raised = router.set_weight(25)["percent"]
            load.more(100)
        _, rollout = router.ask("GET", "/api/v1/rollout")
    finally:
        router.end()
    note = f"plan held at {held:g} %; raise: {refused}, lower: {lowered} and in force; saved once there was room"
    row = figures.add("disk of the state file full", load.events, note)
    assert not load.failures(), row
    assert (held, refused, lowered, in_force, behind, raised) == (10, 503, 200, 5, True, 25)
    assert "the disk is full; free some space" in problem
    assert json.loads(rollout)["phase"] == "paused"

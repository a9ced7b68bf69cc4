"""Upstreams and what the kernel knows about processes; only processes that were started here are ever signalled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conformance.router import free_port

ROOT = Path(__file__).parents[2]
#: Guards against hangs, never an expectation about speed.
HANG = 30.0
_POLL = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


def wait_until(ready: Callable[[], bool], what: str, seconds: float = HANG) -> None:
    """Poll for what has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        time.sleep(_POLL)


class Upstream:
    """tests/faults/upstream.py as a process that can be killed and started again on its port."""

    def __init__(self, name: str, fault: str = "none", every: int = 1) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = ["--name", name, "--fault", fault, "--every", str(every)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it accepts."""
        assert self._process is None
        command = [sys.executable, "-m", "tests.faults.upstream", "--port", str(self.port), *self._options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("ready "), f"upstream {self.name} didn't start: {line!r}"

    def misbehave(self, fault: str, every: int = 1) -> int:
        """Change the fault; how many requests there were since the last change."""
        return self._ask(f"/fault?name={fault}&every={every}")

    def count(self) -> int:
        """Requests since the last change of the fault, health checks left out."""
        return self._ask("/fault")

    def _ask(self, path: str) -> int:
        with urllib.request.urlopen(self.url + path, timeout=HANG) as answer:
            return int(json.load(answer)["body"])

    def kill(self) -> None:
        """SIGKILL, and wait until its sockets are gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(HANG)
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def running_upstream(name: str, fault: str = "none", every: int = 1) -> Iterator[Upstream]:
    upstream = Upstream(name, fault, every)
    upstream.start()
    try:
        yield upstream
    finally:
        upstream.kill()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but wasn't waited for doesn't."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def resident(pid: int) -> int:
    """VmRSS in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def cpu_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def connections(pid: int, port: int) -> int:
    """Established connections to a local port that a process holds."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    found = 0
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        found += columns[1].endswith(f":{port:04X}") and columns[3] == "01" and columns[9] in inodes
    return found


def closing(port: int) -> int:
    """Connections that were closed at a local port while the kernel still had bytes to send on them (FIN_WAIT1)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(columns[1].endswith(f":{port:04X}") and columns[3] == "04" for columns in map(str.split, lines))


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a session that we started and whose leader was `process`, also when the leader has ended already."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(HANG)

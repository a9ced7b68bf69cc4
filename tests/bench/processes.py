"""Starting and stopping what the bench runs: nothing outlives it, not even a worker whose supervisor died first.

Only this module signals processes, and only those that it started itself or their recorded descendants.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .machine import Stat, read_stat, taskset, tree

START_SECONDS = 20.0  # Envoy and a cold Python import are the slowest; both are up within 3 s
STOP_SECONDS = 3.0  # after that a process gets SIGKILL; an orderly drain of idle connections takes far less


class Unavailable(Exception):
    """A peer or tool that this machine can't run, with the reason in words; the bench goes on without it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def binary(name: str, package: str) -> str:
    """The path of a program; installs its Debian package by name when it is missing and we may."""
    search = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=search)
    if found:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(f"{name} is missing; install it as root: apt-get install {package}")
    # RUNLEVEL=1 keeps Debian from starting a packaged service that we only want the program of.
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", package]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
    found = shutil.which(name, path=search)
    if done.returncode or not found:
        raise Unavailable(f"{name} is missing and apt-get install {package} failed: {done.stderr[-200:].strip()}")
    return found


class Process:
    """One started program in a process group of its own, its output in a log file."""

    __slots__ = ("_known", "_log", "_popen", "name")

    def __init__(
        self, name: str, command: Sequence[str], *, cores: frozenset[int], folder: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._known: list[Stat] = []
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                [*taskset(cores), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,  # so that no cutover.toml of the caller's folder is read
                env=dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def log_tail(self, lines: int = 8) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def wait_listening(self, port: int) -> None:
        """Return once something accepts on the port; `Unavailable` with the end of the log when it doesn't."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.alive:
                raise Unavailable(f"{self.name} ended at its start: {self.log_tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Unavailable(f"{self.name} doesn't listen after {START_SECONDS:.0f} s: {self.log_tail()}")

    def ask_to_stop(self) -> None:
        self._known = tree(self.pid)  # a supervisor's workers are ours too, also once it is gone
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)

    def make_stop(self, deadline: float) -> None:
        """Wait for everything recorded to end; what hasn't by the deadline is killed."""
        while time.monotonic() < deadline and (self.alive or any(map(_same, self._known))):
            time.sleep(0.02)
        for stat in self._known:
            if _same(stat):
                os.kill(stat.pid, signal.SIGKILL)
        self._popen.wait(timeout=5)


def _same(stat: Stat) -> bool:
    """Whether this very process still lives; a pid alone may have been given to another by now."""
    now = read_stat(stat.pid)
    return now is not None and now.started == stat.started


def stop_all(processes: Sequence[Process]) -> None:
    """All at once, so that the slowest sets the time, not the sum."""
    for process in processes:
        process.ask_to_stop()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        process.make_stop(deadline)

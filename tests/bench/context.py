"""The running bench: its temp folder, its processes and its options, handed to every scenario.

Leaving the context stops every process and removes the folder, whatever happened inside.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console

from .machine import Cores, plan_cores
from .processes import Process, stop_all


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    rounds: int
    seconds: float
    quick: bool
    peers: tuple[str, ...]


class Bench:
    """Owner of everything that must be gone afterwards."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.cores: Cores = plan_cores(os.sched_getaffinity(0))
        self.folder = Path(tempfile.mkdtemp(prefix="cutover-bench-"))
        self.folder.chmod(0o755)  # nginx started by root reads its files as another user
        self._processes: list[Process] = []
        self._affinity = os.sched_getaffinity(0)

    def __enter__(self) -> Bench:
        os.sched_setaffinity(0, self.cores.load)  # our own clients must not disturb the proxy's core
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them running
        try:
            stop_all(self._processes)
        finally:
            os.sched_setaffinity(0, self._affinity)
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        cores: frozenset[int],
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program and wait until it listens; it is stopped at the latest when the bench ends."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("CUTOVER_")}
        title = f"{name}-{len(self._processes)}"
        process = Process(title, command, cores=cores, folder=self.folder, env=ours | dict(env or {}))
        self._processes.append(process)
        process.wait_listening(port)
        return process

    @contextmanager
    def only_inside(self) -> Iterator[None]:
        """What is started inside is stopped at the end of the block: for a scenario's own instances."""
        before = len(self._processes)
        try:
            yield
        finally:
            late = self._processes[before:]
            del self._processes[before:]
            stop_all(late)

    def say(self, text: str) -> None:
        self.console.print(text, style="dim", highlight=False)

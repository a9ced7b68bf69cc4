"""The demo's processes: started in groups of their own, waited for by what they say, always ended.

Everything here is synchronous, so that whatever interrupts the demo, the end of the ``with`` block is reached
with nothing left half-awaited.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx

from ..errors import RouterError

_Found = TypeVar("_Found")

START_SECONDS = 20.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05

#: Where `router` and, in a clone, `tests` live.
ROOT = Path(__file__).parents[2]


class DemoError(RouterError):
    """The demo can't run or go on; the message says what to do."""

    label = "demo"


class Processes:
    """Children by name, with their logs in `folder`; leaving the block ends them and whatever they started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for child in reversed(self._children.values()):
                child.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for child in self._children.values():
                try:
                    child.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    pass  # killed below
        finally:  # also after a second Ctrl-C
            for child in self._children.values():
                _kill_group(child)

    def start(self, name: str, arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Run ``python -m ...`` in the folder, so that no cutover.toml and no CUTOVER_* of the user's is read."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("CUTOVER_")}
        with self._log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(  # noqa: S603  our own interpreter and modules
                [sys.executable, "-m", *arguments],
                cwd=self._folder,
                env={**inherited, "PYTHONPATH": str(ROOT), **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end(self, name: str) -> None:
        """SIGTERM, without waiting."""
        self._children[name].terminate()

    def url_of(self, name: str) -> str:
        """Wait for the line ``ready URL`` of a stand-in."""

        def announced() -> str | None:
            lines = self._log(name).read_text("utf-8", "replace").splitlines()
            return next((line.removeprefix("ready ") for line in lines if line.startswith("ready ")), None)

        return self._wait(name, announced)

    def wait_until_ready(self, name: str, url: str) -> None:
        """Wait for a 200 from `url`."""

        def answered() -> bool | None:
            try:
                return httpx.get(url, timeout=1, trust_env=False).status_code == 200 or None
            except httpx.TransportError:
                return None

        self._wait(name, answered)

    def _wait(self, name: str, probe: Callable[[], _Found | None]) -> _Found:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if (found := probe()) is not None:
                return found
            if (code := self._children[name].poll()) is not None:
                raise DemoError(f"{name} ended with code {code} instead of starting:\n{self.log_tail(name)}")
            time.sleep(POLL_SECONDS)
        raise DemoError(f"{name} was not ready after {START_SECONDS:g} s:\n{self.log_tail(name)}")

    def log_tail(self, name: str, lines: int = 15) -> str:
        text = self._log(name).read_text("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the session that the child led, such as workers that outlive their supervisor."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

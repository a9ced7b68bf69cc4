"""Starts the real router as its users do (`python -m router serve`) between scripted upstreams, and ends it.

One process serves many cases: the upstream ports stay, the scripts behind them are swapped.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.client import Client
from tests.conformance.upstream import Upstream

TOKEN = "conformance"
START = 20.0

# Health checks are off so that upstreams see only what a case sends; the drain is short so that the end is.
BASE = """
[health]
interval = 0
"""
ROUTES = """
[[route]]
path = "/canary/*"
pin = "canary"
[[route]]
path = "/half/*"
percent = 50
[[route]]
path = "/quarter/*"
percent = 25
[[route]]
path = "/all/*"
percent = 100
"""


@dataclass
class Router:
    """A running router and the upstreams behind its arms."""

    port: int
    admin_port: int
    process: subprocess.Popen[bytes]
    log: Path
    stable: Upstream
    canary: Upstream

    def connect(self, receive_buffer: int | None = None) -> Client:
        return Client(self.port, receive_buffer=receive_buffer)

    def admin(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def children(self) -> list[int]:
        """Process ids below the supervisor."""
        found: list[int] = []
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            with contextlib.suppress(OSError):
                below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                found += map(int, below)
                waiting += map(int, below)
        return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def running_router(
    folder: Path,
    stable: Upstream,
    canary: Upstream,
    settings: str = "",
    routes: str = ROUTES,
    workers: int = 1,
    arms: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Iterator[Router]:
    """`settings` are further toml tables; `arms` are the URLs of both arms when they aren't just the upstreams'."""
    port, admin_port = free_port(), free_port()
    config = folder / "cutover.toml"
    config.write_text(settings + ("" if "[health]" in settings else BASE) + routes)
    stable_urls, canary_urls = arms or ((stable.url,), (canary.url,))
    command = [sys.executable, "-m", "router", "serve"]
    command += ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin_port}"]
    for arm, urls in (("--stable", stable_urls), ("--canary", canary_urls)):
        for url in urls:
            command += [arm, url]
    command += ["--workers", str(workers), "--state", str(folder / "cutover.db"), "--config", str(config)]
    log = folder / "router.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=_environment(), start_new_session=True
        )
    router = Router(port, admin_port, process, log, stable, canary)
    try:
        _wait_ready(router)
        yield router
    finally:
        _end(process)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}
    return kept | {"CUTOVER_ADMIN_TOKEN": TOKEN}


def _wait_ready(router: Router) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if router.process.poll() is not None:
            break
        with contextlib.suppress(OSError, http.client.HTTPException):
            if router.admin("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"the router isn't ready; its log:\n{router.log.read_text(errors='replace')[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask, then kill the router's own session (it is the leader of the group)."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)

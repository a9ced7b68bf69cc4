"""The real router as its users start it, to be killed, reloaded and started again over one state file."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from tests.conformance.router import TOKEN, free_port
from tests.faults.processes import HANG, ROOT, end_group, is_alive, wait_until


class Endpoint(Protocol):
    """What an arm leads to."""

    @property
    def url(self) -> str: ...


class Router:
    """One state file and the supervisors that serve from it one after the other."""

    def __init__(self, folder: Path, stable: Endpoint, canary: Endpoint, settings: str, workers: int) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.state = folder / "state.db"
        self.config = folder / "cutover.toml"
        self.log = folder / "router.log"
        self.environ: dict[str, str] = {}
        self.wrapper: list[str] = []  # a command that prepares the ground and runs its arguments
        self.process: subprocess.Popen[bytes]
        self._stable, self._canary = stable, canary
        self._started: list[subprocess.Popen[bytes]] = []
        self.configure(settings, workers)

    def configure(self, settings: str = "", workers: int = 1, canary: Endpoint | None = None) -> None:
        """Write the configuration; a running router takes it over with the next SIGHUP."""
        top = f'stable = "{self._stable.url}"\ncanary = "{(canary or self._canary).url}"\nworkers = {workers}\n'
        self.config.write_text(top + settings)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start a supervisor without waiting for it."""
        command = [*self.wrapper, sys.executable, "-m", "router", "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--admin", f"127.0.0.1:{self.admin_port}", "--state", str(self.state), "--config", str(self.config)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}
        environ = kept | {"CUTOVER_ADMIN_TOKEN": TOKEN} | self.environ
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environ, start_new_session=True
            )
        self._started.append(process)
        return process

    def start(self) -> None:
        """Start a supervisor and wait until it is ready."""
        self.process = self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"the router ended:\n{self.text()[-3000:]}"
            with suppress(OSError, http.client.HTTPException):
                return self.ask("GET", "/readyz")[0] == 200
            return False

        wait_until(ready, "the router is ready")

    def kill_supervisor(self) -> None:
        self.process.kill()
        self.process.wait(HANG)

    def kill_all(self) -> None:
        """The supervisor and its workers, as a crash of the machine would."""
        workers = self.workers()
        self.kill_supervisor()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, workers)), "all workers are gone")

    def reload(self) -> None:
        """SIGHUP, and wait until its outcome is in the log."""
        before = self.reloads()
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.reloads() > before, "the reload has ended")

    def reloads(self) -> int:
        text = self.text()
        return text.count("workers replaced") + text.count("reload failed")

    def end(self) -> None:
        for process in self._started:
            end_group(process)

    # What it says.

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, str]:
        """One request to the admin port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=HANG)
        try:
            fields = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
            connection.request(method, path, None if body is None else json.dumps(body), fields)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def set_weight(self, percent: float) -> dict[str, Any]:
        status, text = self.ask("PUT", "/api/v1/weight", {"percent": percent, "reason": "fault case"})
        assert status == 200, text
        content: dict[str, Any] = json.loads(text)
        return content

    def weight(self) -> float:
        percent: float = json.loads(self.ask("GET", "/api/v1/weight")[1])["percent"]
        return percent

    def status(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.ask("GET", "/api/v1/status")[1])
        return content

    def workers(self, state: str = "serving") -> list[int]:
        """Process ids in the order of their slots."""
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == state]

    def counters(self) -> dict[str, float]:
        """Every counter and histogram cell of the data plane, by series."""
        lines = self.ask("GET", "/metrics")[1].splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(("cutover_", "http_server_")))
        return {
            name: float(value)
            for name, value in pairs
            if name.split("{")[0].endswith(("_total", "_bucket", "_count", "_sum"))
        }

    def requests(self) -> int:
        """Requests that were ever counted."""
        return int(sum(value for name, value in self.counters().items() if name.startswith("cutover_requests_total")))

    def text(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def running_router(
    folder: Path,
    stable: Endpoint,
    canary: Endpoint,
    settings: str = "",
    workers: int = 1,
    percent: float = 50,
    environ: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
) -> Iterator[Router]:
    """A ready router at a weight; everything that it started ends with the block."""
    router = Router(folder, stable, canary, settings, workers)
    router.environ.update(environ or {})
    router.wrapper[:] = wrapper
    try:
        router.start()
        if percent:
            router.set_weight(percent)
        yield router
    finally:
        router.end()


class Watch:
    """Reads /metrics all the time and notes every counter that went back."""

    def __init__(self, router: Router) -> None:
        self.went_back: list[str] = []
        self.readings = 0
        self._router = router
        self._last: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(HANG)
        self._read()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self._read()

    def _read(self) -> None:
        try:
            now = self._router.counters()
        except (OSError, http.client.HTTPException):
            return  # no supervisor at the moment
        self.readings += 1
        self.went_back += [name for name, value in self._last.items() if now.get(name, 0) < value]
        self._last = now

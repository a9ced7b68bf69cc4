"""Starting cutover itself, exactly as an operator would: by its command and its documented admin API."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import prefix

from .configs import Setup
from .context import Bench
from .processes import Process, Unavailable, free_port

TOKEN = "bench-token"  # of an instance that lives for this run, on loopback only
READY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Router:
    """A running cutover."""

    process: Process
    port: int
    admin: int

    def set_weight(self, percent: float) -> None:
        status, answer = ask(self.admin, "PUT", "/api/v1/weight", {"percent": percent, "reason": "bench"})
        if status != 200:
            raise Unavailable(f"cutover refuses the weight {percent}: {status} {answer[:200]!r}")


def ask(port: int, method: str, path: str, body: object | None = None) -> tuple[int, bytes]:
    """One request to the admin API → (status, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, fields)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def start_router(bench: Bench, setup: Setup, percent: float = 50.0) -> Router:
    """Start cutover with both arms on the same upstream and wait until it is ready; all its features stay on."""
    program = Path(prefix) / "bin" / "cutover"
    if not program.exists():
        raise Unavailable(f"{program} is missing; make the environment first: make install")
    admin = free_port()
    upstream = f"http://127.0.0.1:{setup.upstream}"
    command = [str(program), "serve", "--listen", f"127.0.0.1:{setup.port}", "--admin", f"127.0.0.1:{admin}"]
    command += ["--stable", upstream, "--canary", upstream, "--workers", str(setup.workers)]
    command += ["--state", str(bench.folder / f"state-{setup.port}.db"), *_config(bench, setup)]
    env = {"CUTOVER_ADMIN_TOKEN": TOKEN, "CUTOVER_LOG_LEVEL": "WARNING"}
    process = bench.start("cutover", command, port=setup.port, cores=setup.cores, env=env)
    router = Router(process, setup.port, admin)
    _wait_ready(router)
    router.set_weight(percent)
    return router


def _config(bench: Bench, setup: Setup) -> Sequence[str]:
    if setup.certificate is None:
        return ()
    path = bench.folder / f"cutover-{setup.port}.toml"
    path.write_text(f"[tls]\ncert = {str(setup.certificate)!r}\nkey = {str(setup.certificate)!r}\n")
    return ("--config", str(path))


def _wait_ready(router: Router) -> None:
    deadline = time.monotonic() + READY_SECONDS
    last = "no answer"
    while time.monotonic() < deadline:
        try:
            status, answer = ask(router.admin, "GET", "/readyz")
            if status == 200:
                return
            last = f"{status} {answer[:200]!r}"
        except OSError as error:
            last = str(error)
        time.sleep(0.1)
    raise Unavailable(f"cutover isn't ready after {READY_SECONDS:.0f} s: {last}; {router.process.log_tail()}")

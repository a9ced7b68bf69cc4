"""Load by wrk: one run in, exact figures out. Parsing is pure; the run adds what the proxy's CPU did meanwhile.

wrk keeps a fixed number of connections busy, each with one request at a time, and answers are read to their end.
Its latency figures are corrected for the waiting that such a closed loop hides; it does so for every peer alike.
"""

from __future__ import annotations

import json
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .context import Bench
from .machine import cpu_seconds, machine_busy_seconds, taskset
from .peers import Peer
from .processes import binary

_SCRIPTS = Path(__file__).parent / "lua"
_MARK = "BENCH "


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of load; `script` names files in lua/, joined by +."""

    script: str = "plain"
    path: str = "/"
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Counted:
    """What wrk counted in one run; latencies in ms."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float
    p999: float
    max: float
    errors: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One run against one peer. `busy` is the share of one core that the proxy used, `foreign` that of the whole
    machine that went to programs which are no part of the bench."""

    peer: str
    rps: float
    p50: float
    p99: float
    p999: float
    cpu_us: float
    busy: float
    mb_s: float
    errors: int
    foreign: float


def parse(output: str) -> Counted:
    """The figures of lua/done.lua in wrk's output."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            raw = json.loads(line[len(_MARK) :])
            errors = sum(raw[kind] for kind in ("connect", "read", "write", "status", "timeout"))
            p50, p99, p999, longest = (raw[f"{name}_us"] / 1000 for name in ("p50", "p99", "p999", "max"))
            seconds = raw["duration_us"] / 1e6
            return Counted(raw["requests"], seconds, raw["bytes"], p50, p99, p999, longest, errors)
    raise ValueError(f"wrk printed no figures: {output[-300:]}")


def run_wrk(bench: Bench, url: str, load: Load, seconds: float, cores: frozenset[int]) -> Counted:
    """Run wrk on the given cores; only ever against this machine."""
    if urlsplit(url).hostname != "127.0.0.1":
        raise ValueError(f"{url}: the bench loads 127.0.0.1 only")
    script = bench.folder / f"{load.script}.lua"
    if not script.exists():
        parts = [*load.script.split("+"), "done"]
        script.write_text("".join((_SCRIPTS / f"{part}.lua").read_text() for part in parts))
    # wrk counts whole seconds only
    timing = ["-d", f"{max(1, round(seconds))}s", "--timeout", "10s"]
    command = [binary("wrk", "wrk"), "-t1", "-c", str(load.connections), *timing, "-s", str(script), url]
    done = subprocess.run([*taskset(cores), *command], capture_output=True, text=True, timeout=seconds + 30)
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr[-300:] or done.stdout[-300:]}")
    return parse(done.stdout)


def measure(bench: Bench, peer: Peer, load: Load, seconds: float, cores: frozenset[int], upstream_pid: int) -> Sample:
    """One run with the proxy's CPU time beside it."""
    proxy, upstream, own = cpu_seconds(peer.process.pid), cpu_seconds(upstream_pid), _own_cpu()
    machine, start = machine_busy_seconds(), time.monotonic()
    counted = run_wrk(bench, peer.url(load.path), load, seconds, cores)
    elapsed = time.monotonic() - start
    machine = machine_busy_seconds() - machine
    proxy = cpu_seconds(peer.process.pid) - proxy
    ours = proxy + cpu_seconds(upstream_pid) - upstream + _own_cpu() - own
    return Sample(
        peer=peer.name,
        rps=counted.requests / counted.seconds,
        p50=counted.p50,
        p99=counted.p99,
        p999=counted.p999,
        cpu_us=proxy * 1e6 / max(1, counted.requests),
        busy=proxy / counted.seconds,
        mb_s=counted.bytes / 1e6 / counted.seconds,
        errors=counted.errors,
        foreign=max(0.0, (machine - ours) / elapsed / len(bench.cores.everything)),
    )


def _own_cpu() -> float:
    """Of this process and of its children that have ended (wrk)."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)

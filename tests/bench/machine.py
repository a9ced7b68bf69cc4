"""What the bench knows of the machine: which core runs what, and what /proc says a process has used.

CPU time a request is the figure to trust on a shared machine: others' load makes a run slower, but hardly makes a
request cost more CPU. It is read here from /proc/PID/stat, in ticks of 10 ms (0.3 % of a 4 s run).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the proxy under test, wrk and the upstream may use."""

    proxy: frozenset[int]
    load: frozenset[int]
    upstream: frozenset[int]
    everything: frozenset[int]

    @property
    def note(self) -> str:
        if self.proxy == self.load:
            return "one core only: nothing is pinned, ratios of requests/s say little, CPU a request still does"
        where = (("proxy", self.proxy), ("wrk", self.load), ("upstream", self.upstream))
        return "pinned by taskset: " + ", ".join(f"{who} on core {_listed(cores)}" for who, cores in where)


def plan_cores(available: Iterable[int]) -> Cores:
    """Give the proxy a core of its own, so that its speed is its own; the rest share what is left."""
    cores = sorted(available)
    everything = frozenset(cores)
    if len(cores) == 1:
        return Cores(everything, everything, everything, everything)
    upstream = cores[1] if len(cores) > 2 else cores[0]
    return Cores(frozenset(cores[-1:]), frozenset(cores[:1]), frozenset({upstream}), everything)


def taskset(cores: frozenset[int]) -> list[str]:
    """The command prefix that keeps a process and all its children on these cores."""
    return ["taskset", "-c", _listed(cores)]


def _listed(cores: frozenset[int]) -> str:
    return ",".join(str(core) for core in sorted(cores))


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    parent: int
    started: int
    cpu_seconds: float
    rss: int


def read_stat(pid: int) -> Stat | None:
    """None when the process is gone (or a zombie that holds nothing any more)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold spaces and parentheses
    if fields[0] in "ZX":
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Stat(pid, int(fields[1]), int(fields[19]), ticks / _TICK, int(fields[21]) * _PAGE)


def tree(root: int) -> list[Stat]:
    """The process and all its descendants, the process first."""
    stats = (read_stat(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    by_pid = {stat.pid: stat for stat in stats if stat is not None}
    return [by_pid[pid] for pid in _descend(root, {pid: stat.parent for pid, stat in by_pid.items()})]


def _descend(root: int, parents: Mapping[int, int]) -> list[int]:
    found = [root] if root in parents else []
    for pid in found:  # grows while it is walked: breadth first
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    """CPU time of a process and its living descendants so far."""
    return sum(stat.cpu_seconds for stat in tree(root))


def worker_rss(root: int) -> int:
    """Bytes: the largest descendant (the worker), or the process itself when it serves alone."""
    stats = tree(root)
    largest = max(stats[1:] or stats, key=lambda stat: stat.rss, default=None)
    return 0 if largest is None else _exact_rss(largest)


def _exact_rss(stat: Stat) -> int:
    """The kernel batches the counter behind /proc/PID/stat (256 KB off on two cores); smaps walks the pages."""
    try:
        for line in (_PROC / str(stat.pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # not ours to read, or gone
        pass
    return stat.rss


def machine_busy_seconds() -> float:
    """CPU seconds that all processes of the machine used since boot, with what the hypervisor took."""
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("cpu "):
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(n) for n in line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) / _TICK
    raise RuntimeError("/proc/stat has no line for the whole machine")


def describe() -> dict[str, object]:
    """What a reader of the figures needs to know of the machine."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in (_PROC / "cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown CPU",
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "load": os.getloadavg(),
    }

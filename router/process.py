"""What the kernel knows about one of our processes: CPU time, memory, open files, start (Linux /proc)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

# Fields of /proc/PID/stat after the command's closing parenthesis (proc_pid_stat(5), numbered from 3 there).
_UTIME, _STIME, _STARTTIME, _RSS = 14 - 3, 15 - 3, 22 - 3, 24 - 3


@dataclass(frozen=True, slots=True)
class Usage:
    """One reading: seconds of CPU, resident bytes, open file descriptors, start in seconds since the epoch."""

    cpu: float
    resident: int
    files: int
    started: float


def usage(pid: int) -> Usage | None:
    """The reading of a process, or None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    cpu = (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS
    started = _booted() + int(fields[_STARTTIME]) / _TICKS
    return Usage(cpu, int(fields[_RSS]) * _PAGE, files, started)


def _booted() -> float:
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0

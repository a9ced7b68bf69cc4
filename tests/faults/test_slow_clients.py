"""slowhttptest: hundreds of clients that send or take a little now and then. They are cut, and in nobody's way."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import HANG, Upstream, closing, resident
from tests.faults.router import Router, running_router

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="needs slowhttptest (Debian package)"),
]

MB = 1 << 20
LIMIT = 2
SETTINGS = f"[timeouts]\nhead = {LIMIT}\nbody_idle = {LIMIT}\nwrite_idle = {LIMIT}\n"
#: How long they go on if nobody ends them.
SECONDS = 12
#: More than the kernel takes of an answer (4 MB with its own overhead), so that the router holds a part of it.
ANSWER = 4_000_000


@dataclass(frozen=True)
class Attack:
    """`held` is what the worker may hold for each, in bytes: buffers of 256 KiB are exceeded by one read at most."""

    name: str
    options: tuple[str, ...]
    target: str
    count: int
    reason: str
    held: int


ATTACKS = [
    Attack("head", ("-H", "-i", "1"), "/api/items/1", 300, "head_timeout", 64 * 1024),
    Attack("body", ("-B", "-i", "1", "-s", "8192", "-x", "10"), "/api/items/1", 300, "body_timeout", 64 * 1024),
    Attack(
        "read",
        ("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"),
        f"/bytes?n={ANSWER}",
        200,
        "write_timeout",
        512 * 1024,
    ),
]


def _cut(router: Router, reason: str) -> int:
    return int(router.counters()[f'cutover_client_errors_total{{reason="{reason}"}}'])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_slow_clients(tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, attack: Attack) -> None:
    with running_router(tmp_path, stable, canary, SETTINGS) as router:
        (worker,) = router.workers()
        with running_load(router.port) as load:
            load.more(200)
            before, growth = resident(worker), 0
            url = f"http://127.0.0.1:{router.port}{attack.target}"
            command = ["slowhttptest", "-c", str(attack.count), "-r", str(attack.count), "-l", str(SECONDS), "-u", url]
            slow = subprocess.Popen([*command, *attack.options], stdout=subprocess.DEVNULL)
            try:
                began = time.monotonic()
                while _cut(router, attack.reason) < attack.count and slow.poll() is None:
                    load.more(50)
                    growth = max(growth, resident(worker) - before)
                seconds = time.monotonic() - began
                cut, unsent = _cut(router, attack.reason), closing(router.port)
            finally:
                slow.kill()
                slow.wait(HANG)
            load.more(100)
    note = f"{cut} cut within {seconds:.1f} s (limit {LIMIT} s); worker +{growth / MB:.1f} MB at its peak"
    note += f"; slowest other answer {max(event.seconds for event in load.events) * 1000:.0f} ms"
    row = figures.add(f"slowhttptest, slow {attack.name}, {attack.count} clients", load.events, note)
    assert not load.failures(), row
    assert cut == attack.count, row
    assert unsent < attack.count // 4, "the kernel still serves clients that were cut"
    assert growth < attack.count * attack.held, row

"""A gigabyte on its way through while one side is slow: the worker holds a bounded part of it, and lets go of it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import HANG, Upstream, resident, wait_until
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow

GB = 1 << 30
MB = 1 << 20
PIECE = bytes(64 * 1024)
#: How long a transfer is watched: at the speed of loopback an unbounded buffer would hold most of a gigabyte by then.
WATCHED = 3.0
GROWTH = 24 * MB


def _slow_reader(client: socket.socket) -> int:
    """1 KB every 50 ms."""
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < WATCHED:
        count += len(client.recv(1024))
        time.sleep(0.05)  # the pace is what is tested
    return count


def _eager_sender(client: socket.socket) -> int:
    """As much as the router takes."""
    client.settimeout(0.1)
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < WATCHED:
        try:
            count += client.send(PIECE)
        except TimeoutError:
            pass  # held back, as it should be
    return count


def _watched(router: Router, head: str, transfer: Callable[[socket.socket], int]) -> tuple[int, int]:
    """Bytes moved, and growth of the worker when they were; the transfer is abandoned then."""
    (worker,) = router.workers()
    before = resident(worker)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.settimeout(HANG)
        client.connect(("127.0.0.1", router.port))
        client.sendall(head.encode())
        moved = transfer(client)
        growth = resident(worker) - before
        # A reset comes through at once; an orderly end waits in the client's kernel behind all it has still to send.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return moved, growth


def _active(router: Router) -> int:
    return sum(arm["active"] for arm in router.status()["arms"].values())


@pytest.mark.parametrize(
    ("name", "head", "transfer"),
    [
        ("download", f"GET /bytes?n={GB} HTTP/1.1\r\nHost: h\r\n\r\n", _slow_reader),
        ("upload", f"POST /sink?slow=1 HTTP/1.1\r\nHost: h\r\nContent-Length: {GB}\r\n\r\n", _eager_sender),
    ],
    ids=["download", "upload"],
)
def test_a_gigabyte_past_a_slow_side(
    tmp_path: Path,
    stable: Upstream,
    canary: Upstream,
    figures: Figures,
    name: str,
    head: str,
    transfer: Callable[[socket.socket], int],
) -> None:
    with running_router(tmp_path, stable, canary, percent=100) as router:
        with running_load(router.port) as load:
            load.more(300)  # so that what a worker needs anyway isn't counted
        wait_until(lambda: _active(router) == 0, "the load has ended")
        moved, growth = _watched(router, head, transfer)
        left = time.monotonic()
        wait_until(lambda: _active(router) == 0, "the abandoned transfer has ended")
        seconds = time.monotonic() - left
        with running_load(router.port) as load:
            load.more(100)
    row = figures.add(
        f"1 GB {name} past a slow side",
        load.events,
        f"{moved / MB:.1f} MB in {WATCHED:g} s, worker grew by {growth / MB:.1f} MB; over {seconds:.1f} s later",
    )
    assert moved > 0
    assert growth < GROWTH
    assert not load.failures(), row

"""No local port left towards an upstream: what needs a new connection is answered at once, nobody is blamed."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.figures import Figures
from tests.faults.load import running_load
from tests.faults.processes import Upstream, running_upstream, wait_until
from tests.faults.router import Router, running_router

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network of its own"),
]

CLONE_NEWNET = 0x40000000
#: Local ports towards each upstream.
PORTS = 256
SETTINGS = "[health]\ninterval = 0.2\nfall = 2\n[timeouts]\nupstream_idle = 0.05\n"


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and the threads and processes it starts, in a network with few ports. Each pair of address and port
    on the other side has them anew, so clients of the router don't compete with its upstreams for them."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"no network of its own: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"40000 {40000 + PORTS - 1}")
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0
    finally:
        os.close(before)


def _use_up(stack: ExitStack, upstream: Upstream) -> None:
    """Hold every port that is left towards an upstream; again and again, for the router gives some back."""
    while True:
        hog = socket.socket()
        try:
            hog.connect(("127.0.0.1", upstream.port))
        except OSError:
            hog.close()
            return
        stack.enter_context(hog)


def _starve(upstreams: tuple[Upstream, ...], stack: ExitStack, noticed: Callable[[], bool]) -> None:
    """Leave no port towards `upstreams`, until it was noticed."""

    def is_noticed() -> bool:
        for upstream in upstreams:
            _use_up(stack, upstream)
        return noticed()

    wait_until(is_noticed, "somebody noticed that there is no port")


def _up(router: Router) -> list[bool]:
    return [endpoint["up"] for arm in router.status()["arms"].values() for endpoint in arm["endpoints"]]


def test_ports_run_out_and_come_back(tmp_path: Path, figures: Figures) -> None:
    with (
        own_network(),
        running_upstream("stable") as stable,
        running_upstream("canary") as canary,
        running_router(tmp_path, stable, canary, SETTINGS) as router,
        running_load(router.port, kept=16, fresh=0, think=0.2) as load,
    ):
        load.more(100)
        with ExitStack() as hogs:
            _starve((canary,), hogs, lambda: f"canary endpoint {canary.url} can't be asked" in router.text())
            first = len(load.events)
            load.more(100)
            second = len(load.events)
            _starve((canary, stable), hogs, lambda: f"stable endpoint {stable.url} can't be asked" in router.text())
            _starve((canary, stable), hogs, lambda: bool(load.failures()))
            load.more(100)
            states = _up(router)
        wait_until(lambda: load.succeeding(50), "only successes once there are ports")
        fallbacks = router.status()["fallbacks"]
    kinds = {event.kind for event in load.failures()}
    only_canary = sum(bool(event.kind) for event in load.events[first:second])
    note = f"{fallbacks} fell back; {only_canary} failed before stable had none left either; nobody was marked down"
    row = figures.add("no ports left towards the upstreams", load.events, note)
    assert fallbacks > 0, row
    assert all(states), router.text()
    assert kinds == {"503"}, row
    assert max(event.seconds for event in load.failures()) < 2, row

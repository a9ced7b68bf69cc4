"""Memory of a worker: with 1,000 idle clients, and before and after very many requests."""

from __future__ import annotations

import socket
import time

from .configs import Setup
from .context import Bench
from .load import Load, run_wrk
from .machine import worker_rss
from .peers import PEERS, Peer, start_peer
from .processes import Unavailable, free_port
from .report import Outcome, number
from .stats import grown
from .upstream import Upstream

MEGA = 1e6
CLIENTS = 1000
GROWTH_REQUESTS = 1_000_000
GROWTH_SECONDS = 180.0  # bound in time, for a slow machine
_STEP_SECONDS = 4.0
_ROWS = 8  # printed; JSON has them all
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: app.example.test\r\nUser-Agent: bench\r\nAccept: */*\r\nCookie: cutover_id=%032x\r\n\r\n"
)


def run_idle(bench: Bench, upstream: Upstream) -> Outcome:
    """Each client asks once and stays; fresh instances, so that nothing else is in the figure."""
    head = ("", "RSS before MB", "RSS with clients MB", "KB a client")
    outcome = Outcome("idle", f"RSS of a worker with {CLIENTS:,} idle client connections", head)
    for name in ("cutover", "nginx", "haproxy", "envoy"):
        if name not in bench.options.peers:
            continue
        with bench.only_inside():
            try:
                peer = start_peer(bench, name, Setup(free_port(), upstream.port, bench.cores.proxy))
            except Unavailable as reason:
                outcome.notes.append(f"{PEERS[name][0]} is missing: {reason}")
                continue
            before, after = _with_idle_clients(peer)
        cells = (number(before / MEGA, 1), number(after / MEGA, 1), number((after - before) / 1e3 / CLIENTS, 1))
        outcome.rows.append((PEERS[name][0], *cells))
        outcome.raw.append({"peer": name, "before": before, "after": after})
        if name == "cutover":
            outcome.figures["idle.rss"] = after / MEGA
    return outcome


def _with_idle_clients(peer: Peer) -> tuple[int, int]:
    clients: list[socket.socket] = []
    try:
        _ask(clients, peer, 0)  # code and pools that the first request brings in are no cost of a client
        before = worker_rss(peer.process.pid)
        for user in range(1, CLIENTS):
            _ask(clients, peer, user)
        time.sleep(1)
        return before, worker_rss(peer.process.pid)
    finally:
        for client in clients:
            client.close()


def _ask(clients: list[socket.socket], peer: Peer, user: int) -> None:
    client = socket.create_connection(("127.0.0.1", peer.port), timeout=10)
    clients.append(client)
    client.sendall(_REQUEST % user)
    answer = client.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{peer.name} answered an idle client {answer[:80]!r}")


def run_growth(bench: Bench, upstream: Upstream) -> Outcome:
    """Another user in each request, so that everything kept for a user would show."""
    outcome = Outcome("growth", "RSS of a worker over many requests", ("requests", "RSS MB"))
    goal = GROWTH_REQUESTS // 10 if bench.options.quick else GROWTH_REQUESTS
    requests = 0
    steps: list[tuple[int, float]] = []
    with bench.only_inside():
        peer = start_peer(bench, "cutover", Setup(free_port(), upstream.port, bench.cores.proxy))
        deadline = time.monotonic() + GROWTH_SECONDS
        while requests < goal and time.monotonic() < deadline:
            requests += run_wrk(bench, peer.url("/"), Load("browser"), _STEP_SECONDS, bench.cores.load).requests
            steps.append((requests, worker_rss(peer.process.pid) / MEGA))
            bench.say(f"  {requests:,} requests, {steps[-1][1]:.2f} MB")
    outcome.raw = [{"requests": count, "rss": size} for count, size in steps]
    shown = [*steps[: -1 : len(steps) // _ROWS + 1], steps[-1]]
    outcome.rows = [(number(count, 0), number(size)) for count, size in shown]
    outcome.figures["growth.rss"] = grown([size for _, size in steps])
    if requests < goal:
        outcome.notes.append(f"ended after {GROWTH_SECONDS:.0f} s with {requests:,} of {goal:,} requests")
    return outcome

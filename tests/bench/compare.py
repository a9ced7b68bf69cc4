"""The comparisons: peers side by side, in interleaved rounds, under one kind of load each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .configs import Setup
from .context import Bench
from .load import Load, Sample, measure, run_wrk
from .peers import PEERS, Peer, start_peer
from .processes import Unavailable, free_port
from .report import FOREIGN_MUCH, Outcome, comparison
from .stats import calmest, disturbance, rotated
from .upstream import Upstream

WARM_UP_SECONDS = 1.0  # wrk's shortest; opens the upstream pools anew, which idle ones have closed


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the list of comparisons. `naive` is left out where it would only cost time."""

    name: str
    title: str
    load: Load
    peers: tuple[str, ...] = ("cutover", "nginx", "haproxy", "envoy")
    rounds: int = 3
    secure: bool = False


_EVERY = ("cutover", "nginx", "haproxy", "envoy", "naive")

CASES = (
    Case("main", "40-byte answers, short request, 32 connections", Load(), _EVERY, rounds=5),
    Case("browser", "Browser heads, another user in each request", Load("browser"), _EVERY, rounds=5),
    Case("users", "Browser heads of 1,000 returning users on 10 pages", Load("browser+users")),
    Case("body-1k", "Answers of 1 KB", Load(path="/files/1k")),
    Case("body-100k", "Answers of 100 KB", Load(path="/files/100k")),
    Case("body-10m", "Answers of 10 MB, 8 connections", Load(path="/files/10m", connections=8)),
    Case("post", "POST bodies of 10 KB", Load("post", path="/post")),
    Case("conns", "1,000 connections", Load(connections=1000)),
    Case("tls", "TLS on the listener", Load("browser"), ("cutover", "nginx", "haproxy"), secure=True),
)


class Field:
    """The running peers, started once and kept for all comparisons that can share them."""

    def __init__(self, bench: Bench, upstream: Upstream) -> None:
        self._bench = bench
        self._running: dict[tuple[str, bool], Peer | None] = {}
        self.upstream = upstream
        self.skipped: dict[str, str] = {}

    def peers(self, names: Sequence[str], secure: bool) -> list[Peer]:
        wanted = [name for name in names if name in self._bench.options.peers]
        found = (self._peer(name, secure) for name in wanted)
        return [peer for peer in found if peer is not None]

    def _peer(self, name: str, secure: bool) -> Peer | None:
        if (name, secure) not in self._running:
            self._running[name, secure] = self._start(name, secure)
        return self._running[name, secure]

    def _start(self, name: str, secure: bool) -> Peer | None:
        certificate = None
        if secure:
            from .certificate import make_certificate  # cryptography is slow to import

            certificate = make_certificate(self._bench.folder)
        setup = Setup(free_port(), self.upstream.port, self._bench.cores.proxy, certificate=certificate)
        try:
            return start_peer(self._bench, name, setup)
        except Unavailable as reason:
            self.skipped[name] = str(reason)
            self._bench.say(f"{PEERS[name][0]} is skipped: {reason}")
            return None


def run_case(bench: Bench, field: Field, case: Case) -> Outcome:
    peers = {peer.name: peer for peer in field.peers(case.peers, case.secure)}
    rounds = min(bench.options.rounds, case.rounds)
    samples = interleave(bench, peers, case.load, rounds, field.upstream)
    titles = {name: title for name, (title, _) in PEERS.items()}
    outcome = comparison(case.name, case.title, samples, titles)
    outcome.notes += [f"{titles[name]} is missing: {reason}" for name, reason in field.skipped.items()]
    return outcome


def interleave(
    bench: Bench, peers: Mapping[str, Peer], load: Load, rounds: int, upstream: Upstream, *, pinned: bool = True
) -> list[Sample]:
    """Every peer once in each round, the others idle; a short warm-up before each.

    On a shared machine up to twice the rounds are run, until enough were calm; the calmest count.
    """
    cores = bench.cores.load if pinned else bench.cores.everything
    done: list[list[Sample]] = []
    calm = 0
    while calm < rounds and len(done) < (rounds if bench.options.quick else 2 * rounds):
        done.append([])
        for name in rotated(list(peers), len(done) - 1):
            peer = peers[name]
            run_wrk(bench, peer.url(load.path), load, WARM_UP_SECONDS, cores)
            sample = measure(bench, peer, load, bench.options.seconds, cores, upstream.process.pid)
            done[-1].append(sample)
            disturbed = f", {sample.foreign:.0%} of the machine used by others" if sample.foreign > FOREIGN_MUCH else ""
            bench.say(f"  round {len(done)} {name}: {sample.rps:,.0f} rps, {sample.cpu_us:.1f} µs CPU{disturbed}")
        calm += disturbance(done[-1]) <= FOREIGN_MUCH
    return calmest(done, rounds)

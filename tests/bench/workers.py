"""Two workers ÷ one. On a machine of two cores the load generator and the upstream take their share too, so the
ratio of requests/s is bounded by what is left; CPU a request says whether the workers themselves disturb each other.
"""

from __future__ import annotations

from .compare import interleave
from .configs import Setup
from .context import Bench
from .load import Load
from .peers import Peer, start_peer
from .processes import Unavailable, free_port
from .report import Outcome, comparison
from .upstream import Upstream, start_upstream

_SUBJECTS = (("cutover", 1), ("cutover", 2), ("nginx", 1), ("nginx", 2))


def run_workers(bench: Bench, _: Upstream) -> Outcome:
    """Nothing is pinned here, or the second worker would have no core."""
    peers: dict[str, Peer] = {}
    with bench.only_inside():
        cores = bench.cores.everything
        upstream = start_upstream(bench, cores)
        for name, workers in _SUBJECTS:
            if name not in bench.options.peers:
                continue
            try:
                peer = start_peer(bench, name, Setup(free_port(), upstream.port, cores, workers))
            except Unavailable as reason:
                bench.say(f"{name} with {workers} workers is skipped: {reason}")
                continue
            label = f"{name} {workers}"
            peers[label] = Peer(label, peer.process, peer.port, peer.secure)
        samples = interleave(bench, peers, Load(), min(3, bench.options.rounds), upstream, pinned=False)
    outcome = comparison("workers", "Two workers ÷ one, nothing pinned", samples, {}, subject="cutover 2")
    cores_count = len(bench.cores.everything)
    outcome.notes.append(
        f"÷ is cutover with 2 workers to each row; wrk and the upstream share the {cores_count} cores with them"
    )
    return outcome

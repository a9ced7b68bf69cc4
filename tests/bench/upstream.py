"""The upstream of every measurement: one nginx worker that answers from memory, so that it is never the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass

from .configs import nginx_upstream
from .context import Bench
from .processes import Process, binary, free_port

SIZES = {"1k": 1_000, "100k": 100_000, "10m": 10_000_000, "1g": 1 << 30}


@dataclass(frozen=True, slots=True)
class Upstream:
    port: int
    process: Process


def start_upstream(bench: Bench, cores: frozenset[int]) -> Upstream:
    """Files are sparse, so that the largest takes no disk; nginx sends them by sendfile."""
    files = bench.folder / "www" / "files"
    files.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        with (files / name).open("wb") as file:
            file.truncate(size)
    (files.parent / "post").touch()  # nginx looks for the file first and refuses the POST to it only then
    port = free_port()
    config = bench.folder / f"upstream-{port}.conf"
    config.write_text(nginx_upstream(bench.folder, port, files.parent))
    command = [binary("nginx", "nginx-light"), "-e", "stderr", "-p", str(bench.folder), "-c", str(config)]
    return Upstream(port, bench.start("upstream", command, port=port, cores=cores))

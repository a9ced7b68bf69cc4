"""1 GB through a worker whose other side is slow: does the worker's memory stay flat, does every byte arrive?

The first seconds the slow side takes 1 KB/s, so that everything before it fills up and stands; then about 100 MB/s
to the end. RSS is sampled all the while.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from .configs import Setup
from .context import Bench
from .machine import worker_rss
from .processes import Process, free_port
from .report import Outcome, number
from .router_peer import start_router
from .upstream import Upstream

MEGA = 1e6
GIGABYTE = 1 << 30
CRAWL_SECONDS = 8.0
CRAWL_BYTES = 1024  # a second
FLOW_BYTES = 100_000_000  # a second
DEADLINE_SECONDS = 120.0
_SAMPLE_SECONDS = 0.1
_PIECE = 256 * 1024


def run_download(bench: Bench, upstream: Upstream) -> Outcome:
    with bench.only_inside():
        router = start_router(bench, Setup(free_port(), upstream.port, bench.cores.proxy))
        _download(router.port, "/files/10m", crawl=0)  # warm: code and first buffers are there
        watch = _Watch(router.process)
        took = watch.during(lambda: _download(router.port, "/files/1g", CRAWL_SECONDS))
    return _outcome("download", "1 GB download by a slow reader", took, GIGABYTE, watch)


def run_upload(bench: Bench, _: Upstream) -> Outcome:
    with bench.only_inside():
        sink = _Sink()
        try:
            router = start_router(bench, Setup(free_port(), sink.port, bench.cores.proxy))
            _upload(router.port, 10_000_000)
            sink.crawl = CRAWL_SECONDS
            watch = _Watch(router.process)
            took = watch.during(lambda: _upload(router.port, GIGABYTE))
        finally:
            sink.close()
    return _outcome("upload", "1 GB upload to a slow upstream", took, GIGABYTE, watch)


def _outcome(name: str, title: str, took: int, whole: int, watch: _Watch) -> Outcome:
    start, top = watch.sizes[0], max(watch.sizes)
    head = ("bytes through", "RSS before MB", "highest MB", "grown MB", "seconds")
    cells = (number(took, 0), *(number(size / MEGA, 2) for size in (start, top, top - start)))
    outcome = Outcome(name, title, head, [(*cells, number(watch.seconds, 1))])
    outcome.figures[f"{name}.rss"] = (top - start) / MEGA
    outcome.raw.append({"bytes": took, "rss": watch.sizes})
    if took != whole:
        outcome.notes.append(f"ended early: {took:,} of {whole:,} bytes")
        del outcome.figures[f"{name}.rss"]
    return outcome


class _Watch:
    """Samples a worker's RSS in a thread of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.sizes: list[int] = []
        self.seconds = 0.0

    def during(self, work: Callable[[], int]) -> int:
        done = threading.Event()
        self.sizes.append(worker_rss(self._process.pid))
        thread = threading.Thread(target=self._sample, args=(done,), daemon=True)
        thread.start()
        start = time.monotonic()
        try:
            return work()
        finally:
            self.seconds = time.monotonic() - start
            done.set()
            thread.join()

    def _sample(self, done: threading.Event) -> None:
        while not done.wait(_SAMPLE_SECONDS):
            self.sizes.append(worker_rss(self._process.pid))


def take_slowly(source: socket.socket, left: int, crawl: float) -> int:
    """Read up to `left` bytes: `CRAWL_BYTES` a second for `crawl` seconds, then `FLOW_BYTES` a second. → bytes read"""
    taken, start = 0, time.monotonic()
    buffer = bytearray(_PIECE)
    while taken < left and time.monotonic() - start < DEADLINE_SECONDS:
        crawling = time.monotonic() - start < crawl
        size = source.recv_into(buffer, min(left - taken, CRAWL_BYTES if crawling else _PIECE))
        if not size:
            break
        taken += size
        time.sleep(1.0 if crawling else size / FLOW_BYTES)
    return taken


def _download(port: int, path: str, crawl: float) -> int:
    """→ bytes of the body received"""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET %b HTTP/1.1\r\nHost: app.example.test\r\n\r\n" % path.encode())
        head, body = read_head(client)
        return len(body) + take_slowly(client, content_length(head) - len(body), crawl)


def _upload(port: int, size: int) -> int:
    """→ bytes that the upstream says it got"""
    piece = bytes(_PIECE)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: app.example.test\r\nContent-Length: %d\r\n\r\n" % size)
        for start in range(0, size, _PIECE):
            client.sendall(piece[: size - start])
        _, body = read_head(client)
        return int(body or client.recv(64))


def read_head(peer: socket.socket) -> tuple[bytes, bytes]:
    """→ (head, what came after it)"""
    received = b""
    while b"\r\n\r\n" not in received:
        more = peer.recv(16384)
        if not more:
            raise RuntimeError(f"closed within a head: {received[:200]!r}")
        received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def content_length(head: bytes) -> int:
    """0 when the head names none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class _Sink:
    """An upstream that reads bodies slowly and answers how many bytes it got."""

    def __init__(self) -> None:
        self.crawl = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        # Set before accept, so that the kernel takes little and the proxy has to hold back.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            peer.settimeout(60)
            try:
                while True:
                    head, body = read_head(peer)
                    left = content_length(head) - len(body)
                    crawl = self.crawl if left > 0 else 0.0  # health checks have no body
                    count = b"%d" % (len(body) + take_slowly(peer, left, crawl))
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(count), count))
            except (OSError, RuntimeError):
                return  # the proxy closed its connection

    def close(self) -> None:
        self._listener.close()

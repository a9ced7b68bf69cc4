"""SIGTERM drains, SIGHUP replaces workers, a crashed worker is restarted; each with a router of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conformance import steps
from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Upstream

GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
OPEN = GET.replace(b"\r\n\r\n", b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n")

Start = Callable[..., AbstractContextManager[Router]]


@pytest.fixture
def start(tmp_path: Path, stable: Upstream, canary: Upstream) -> Start:
    def starting(settings: str = "", workers: int = 1) -> AbstractContextManager[Router]:
        return running_router(tmp_path, stable, canary, settings, workers=workers)

    return starting


def refuses(router: Router) -> bool:
    try:
        router.connect().sock.close()
    except ConnectionError:
        return True
    return False


def wait_for(ready: Callable[[], bool], what: str) -> None:
    """Things of other processes that no event tells: looked at every 20 ms, with a deadline."""
    pause = threading.Event()
    for _ in range(500):
        if ready():
            return
        pause.wait(0.02)
    raise AssertionError(f"{what}: never happened")


def unready(router: Router) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return router.admin("GET", "/readyz")[0] != 200
    return True


@pytest.mark.slow
def test_sigterm_drains(start: Start) -> None:
    """One idle connection, one whose answer is under way, one that waits for its answer."""
    with start() as router:
        go = router.stable.gate()
        streaming = [steps.message(), steps.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), steps.wait(go)]
        waiting = [steps.message(), steps.wait(go), steps.send(steps.OK), steps.hang()]
        router.stable.play([*streaming, steps.send(b"world"), steps.hang()], waiting, [steps.serve()])
        with router.connect() as mid, router.connect() as busy, router.connect() as idle:
            mid.send(GET)
            mid.until(b"hello")
            busy.send(GET)
            router.stable.connection(1).wait_bytes(len(GET))
            idle.send(GET)
            assert idle.answer().status == 200
            router.process.send_signal(signal.SIGTERM)
            assert idle.rest() == b""
            wait_for(lambda: refuses(router), "new connections are refused")
            assert unready(router)
            assert router.process.poll() is None
            go.set()
            assert mid.exactly(5) == b"world"
            assert mid.rest() == b""
            answer = busy.answer()
            assert (answer.status, answer.body, answer.closes) == (200, b"ok", True)
            assert busy.rest() == b""
        assert router.process.wait(10) == 0


@pytest.mark.slow
def test_sigterm_finishes_an_upload(start: Start) -> None:
    with start() as router:
        router.stable.play([steps.message(), steps.send(steps.OK), steps.hang()])
        with router.connect() as client:
            client.send(b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello")
            router.stable.connection(0).wait(lambda: router.stable.connection(0).data.endswith(b"hello"), "the half")
            router.process.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses(router), "new connections are refused")
            client.send(b"world")
            answer = client.answer()
            assert (answer.status, answer.closes) == (200, True)
        assert router.process.wait(10) == 0


@pytest.mark.slow
def test_tunnels_and_hung_requests_end_at_the_deadline(start: Start) -> None:
    with start("[timeouts]\ndrain = 0.5\n") as router:
        router.stable.play([steps.head(), steps.send(SWITCH), steps.hang()], [steps.hang()])
        with router.connect() as tunnel, router.connect() as hung:
            tunnel.send(OPEN)
            assert tunnel.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
            hung.send(GET)
            router.stable.connection(1).wait_bytes(len(GET))
            router.process.send_signal(signal.SIGTERM)
            tunnel.rest()
            with contextlib.suppress(AssertionError):
                hung.rest()
        assert router.process.wait(10) == 0


def asking(router: Router, stop: threading.Event, failures: list[str], counts: list[int]) -> None:
    """A client that makes a new connection for every request, and one GET more on each, until told to stop."""
    while not stop.is_set():
        try:
            with router.connect() as client:
                for _ in range(2):
                    client.send(GET)
                    answer = client.answer()
                    if answer.status != 200:
                        failures.append(repr(answer.raw))
                    counts[0] += 1
                    if answer.closes:
                        break
        except (OSError, AssertionError) as problem:
            failures.append(repr(problem))
            stop.wait(0.05)


@contextlib.contextmanager
def load(router: Router, clients: int = 3) -> Iterator[tuple[list[str], list[int]]]:
    stop, counts = threading.Event(), [0]
    failures: list[str] = []
    threads = [
        threading.Thread(target=asking, args=(router, stop, failures, counts), daemon=True) for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield failures, counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_replaces_workers_without_a_refused_connection(start: Start, workers: int) -> None:
    with start(workers=workers) as router:
        router.stable.play([steps.serve()])
        before = set(router.children())
        with load(router) as (failures, counts):
            wait_for(lambda: counts[0] > 50, "requests before")
            router.process.send_signal(signal.SIGHUP)
            wait_for(lambda: len(set(router.children()) - before) >= workers, "new workers")
            served = counts[0]
            wait_for(lambda: counts[0] > served + 50, "requests after")
            wait_for(lambda: len(before & set(router.children())) <= len(before) - workers, "old workers' end")
        assert failures == []
        assert not unready(router)


@pytest.mark.slow
def test_sighup_lets_a_request_finish(start: Start) -> None:
    with start() as router:
        go = router.stable.gate()
        router.stable.play([steps.message(), steps.wait(go), steps.send(steps.OK), steps.hang()], [steps.serve()])
        before = set(router.children())
        with router.connect() as busy:
            busy.send(GET)
            router.stable.connection(0).wait_bytes(len(GET))
            router.process.send_signal(signal.SIGHUP)
            wait_for(lambda: bool(set(router.children()) - before), "a new worker")
            with router.connect() as other:
                other.send(GET)
                assert other.answer().status == 200
            go.set()
            assert busy.answer().status == 200


@pytest.mark.slow
def test_crashed_worker_is_restarted(start: Start) -> None:
    """kill -9: its open connections are the only loss; what waits in its listening socket is served by the next."""
    with start() as router:
        router.stable.play([steps.serve()])
        with router.connect() as client:
            client.send(GET)
            assert client.answer().status == 200
            before = set(router.children())
            for pid in before:
                if is_worker(pid):
                    os.kill(pid, signal.SIGKILL)
            client.rest()
        wait_for(lambda: bool(set(router.children()) - before), "a new worker")
        with router.connect() as client:
            client.send(GET)
            assert client.answer().status == 200
        assert router.process.poll() is None


def is_worker(pid: int) -> bool:
    """Not multiprocessing's resource tracker or fork server, which are no part of the data plane."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"resource_tracker" not in command and b"forkserver" not in command
    return False


@pytest.mark.slow
def test_sigterm_while_idle_exits_at_once(start: Start) -> None:
    with start() as router, router.connect() as silent:
        router.process.send_signal(signal.SIGTERM)
        assert silent.rest() == b""
        assert router.process.wait(10) == 0

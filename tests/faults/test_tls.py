"""TLS clients that never finish their handshake: bounded in number and time, and in nobody's way."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.faults.figures import Figures
from tests.faults.load import request, running_load
from tests.faults.processes import HANG, Upstream, connections, open_files, wait_until
from tests.faults.router import running_router

pytestmark = pytest.mark.slow

SILENT = 200
#: The beginning of a ClientHello: a TLS record of 512 bytes, of which nothing more comes.
HELLO = b"\x16\x03\x01\x02\x00\x01"


@dataclass(frozen=True)
class Secured:
    settings: str
    client: ssl.SSLContext


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    client = ssl.create_default_context()
    authority.configure_trust(client)
    pem = tmp_path / "server.pem"
    return Secured(f'[tls]\ncert = "{pem}"\nkey = "{pem}"\n', client)


@contextmanager
def _silent(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that begin a handshake, or not even that."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), HANG)) for _ in range(count)]
        for client in clients[::2]:
            client.sendall(HELLO)
        yield clients


def _has_ended(client: socket.socket) -> bool:
    try:
        return client.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_unfinished_handshakes_are_cut_and_hold_nobody_up(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, secured: Secured
) -> None:
    settings = secured.settings + "[timeouts]\nhead = 2\n"
    with running_router(tmp_path, stable, canary, settings) as router:
        (worker,) = router.workers()
        before = open_files(worker)
        with _silent(router.port, SILENT) as clients, running_load(router.port, tls=secured.client) as load:
            began = time.monotonic()
            load.more(300)
            ended = [_has_ended(client) for client in clients]
            seconds = time.monotonic() - began
            load.more(100)
        wait_until(lambda: open_files(worker) <= before + 16, "their descriptors are free")
    note = f"all closed after {seconds:.1f} s (head = 2 s)"
    row = figures.add(f"{SILENT} unfinished TLS handshakes", load.events, note)
    assert all(ended)
    assert not load.failures(), row


def test_unfinished_handshakes_count_as_connections(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, secured: Secured
) -> None:
    """With no place left a client is turned away, and has one as soon as the silent ones are gone."""
    settings = secured.settings + "[timeouts]\nhead = 3\n[limits]\nconnections = 20\n"
    with running_router(tmp_path, stable, canary, settings) as router:
        with _silent(router.port, 40) as clients:
            turned_away = sum(_has_ended(client) for client in clients[20:])
            assert sum(map(_has_ended, clients[:20])) == 20
        with running_load(router.port, kept=4, fresh=2, tls=secured.client) as load:
            load.more(50)
    row = figures.add("40 TLS handshakes where 20 may be", load.events, f"{turned_away} turned away at once")
    assert turned_away == 20
    assert not load.failures(), row


def test_a_handshake_outlives_a_reload(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, secured: Secured
) -> None:
    """The worker that accepted a connection finishes its handshake, even when that is all it has left."""
    with running_router(tmp_path, stable, canary, secured.settings) as router:
        (worker,) = router.workers()
        with _silent(router.port, 8) as clients:
            wait_until(lambda: connections(worker, router.port) == len(clients), "the worker has accepted them")
            router.reload()
            assert router.workers() != [worker]
            answered = sum(_is_answered(client, secured.client) for client in clients[1::2])
    figures.note("SIGHUP while TLS handshakes are under way", answered, f"{answered} of {len(clients[1::2])} answered")
    assert answered == len(clients[1::2])


def _is_answered(client: socket.socket, context: ssl.SSLContext) -> bool:
    try:
        with context.wrap_socket(client, server_hostname="127.0.0.1") as secure:
            secure.sendall(request("GET", "/api/items/1", "1", "user"))
            return secure.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def test_unfinished_handshakes_do_not_delay_the_end(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, secured: Secured
) -> None:
    settings = secured.settings + "[timeouts]\nhead = 60\ndrain = 60\n"
    with running_router(tmp_path, stable, canary, settings) as router, _silent(router.port, SILENT):
        with running_load(router.port, kept=4, fresh=0, tls=secured.client) as load:
            load.more(50)
        began = time.monotonic()
        router.process.send_signal(signal.SIGTERM)
        code = router.process.wait(HANG)
        seconds = time.monotonic() - began
    figures.add(f"SIGTERM, {SILENT} unfinished TLS handshakes", load.events, f"exit code {code} after {seconds:.1f} s")
    assert code == 0

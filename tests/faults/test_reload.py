"""SIGHUP under load: every worker is replaced, with the same or other settings, and nobody notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.client import Connection
from tests.faults.figures import Figures
from tests.faults.load import Load, request, running_load
from tests.faults.processes import Upstream, connections, running_upstream, wait_until
from tests.faults.router import Router, running_router

pytestmark = pytest.mark.slow

ROUNDS = 2


def _reload_and_wait(router: Router, load: Load) -> None:
    old = set(router.workers())
    router.reload()
    assert not old & set(router.workers()), "a worker was not replaced"
    load.more(150)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("kept", "fresh"), [(32, 0), (0, 32)], ids=["kept-alive", "fresh"])
def test_reload_under_load_fails_nothing(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, kept: int, fresh: int, workers: int
) -> None:
    with (
        running_router(tmp_path, stable, canary, workers=workers) as router,
        running_load(router.port, kept=kept, fresh=fresh) as load,
    ):
        load.more(150)
        for _ in range(ROUNDS):
            _reload_and_wait(router, load)
    slowest = max(event.seconds for event in load.events)
    kind = "kept-alive" if kept else "fresh"
    note = f"slowest answer {slowest * 1000:.0f} ms"
    row = figures.add(f"SIGHUP, {kind} clients, {workers} workers, {ROUNDS} rounds", load.events, note)
    assert not load.failures(), row


def test_reload_with_other_settings_under_load(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures
) -> None:
    """Workers 1 → 2 → 1, then another canary, which gets every one of the canary's users."""
    with (
        running_upstream("canary") as other,
        running_router(tmp_path, stable, canary) as router,
        running_load(router.port) as load,
    ):
        load.more(150)
        for workers in (2, 1):
            router.configure(workers=workers)
            _reload_and_wait(router, load)
            assert len(router.workers()) == workers
        router.configure(canary=other)
        _reload_and_wait(router, load)
        wait_until(lambda: not router.workers("retiring"), "the old workers left")
        canary.kill()
        killed = len(load.events)
        load.more(300)
        canary.start()
        fallbacks = router.status()["fallbacks"]
    row = figures.add("SIGHUP with other workers and canary", load.events)
    assert not load.failures(), row
    assert fallbacks == 0, "the old canary still had users"
    assert {event.arm for event in load.events[killed:]} == {"stable", "canary"}


async def test_every_worker_of_a_larger_set_gets_connections(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures
) -> None:
    """Workers 1 → 2 by SIGHUP: the second one takes its part."""
    with running_router(tmp_path, stable, canary) as router:
        router.configure(workers=2)
        router.reload()
        wait_until(lambda: not router.workers("retiring"), "the old worker left")
        clients = [await Connection.open(router.port) for _ in range(64)]
        for number, client in enumerate(clients):
            await client.ask(request("GET", "/api/items/1", str(number), str(number)))
        shares = [connections(pid, router.port) for pid in router.workers()]
        for client in clients:
            await client.close()
    figures.note("SIGHUP from 1 to 2 workers, 64 connections", 64, f"connections a worker: {shares}")
    assert sum(shares) == 64
    assert min(shares) > 0, f"connections a worker: {shares}"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ("[timeouts]\nconect = 1\n", "did you mean connect?"),
        ("this is no toml", "cutover.toml"),
        ('[tls]\ncert = "missing.pem"\nkey = "missing.pem"\n', "missing.pem"),
    ],
    ids=["unknown-key", "no-toml", "no-certificate"],
)
def test_reload_of_a_broken_configuration_changes_nothing(
    tmp_path: Path, stable: Upstream, canary: Upstream, figures: Figures, settings: str, word: str
) -> None:
    with (
        running_router(tmp_path, stable, canary) as router,
        running_load(router.port) as load,
    ):
        load.more(100)
        workers = router.workers()
        router.configure(settings)
        router.reload()
        load.more(100)
        assert router.workers() == workers
        router.configure()
        _reload_and_wait(router, load)  # mended, it works again
        text = router.text()
    row = figures.add(f"SIGHUP with a broken configuration ({word})", load.events)
    assert not load.failures(), row
    assert "reload failed" in text
    assert word in text
    assert "Traceback" not in text

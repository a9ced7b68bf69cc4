"""Arms with several endpoints: least-outstanding balancing, active health, passive ejection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.client import Client
from tests.conformance.router import free_port, running_router
from tests.conformance.test_shutdown import wait_for
from tests.conformance.upstream import Step, Upstream

GET = b"GET /p HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\n\r\n"
CANARY = GET.replace(b"/p", b"/canary/p")
FAST = "[health]\ninterval = 0.1\ntimeout = 0.5\n"


@pytest.fixture
def second() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.shut()


def named(name: bytes) -> Step:
    return steps.serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(name) + name)


def ask(client: Client, what: bytes = GET) -> bytes:
    client.send(what)
    answer = client.answer()
    assert answer.status == 200, answer.raw
    return answer.body


@pytest.mark.slow
def test_least_outstanding(tmp_path: Path, stable: Upstream, second: Upstream, canary: Upstream) -> None:
    """While one endpoint holds a request, those that follow one by one go to the other."""
    arms = ((stable.url, second.url), (canary.url,))
    with running_router(tmp_path, stable, canary, arms=arms) as router:
        go = stable.gate()
        busy: list[list[Step]] = [
            [steps.message(), steps.wait(go), steps.send(steps.OK), named(b"one")],
            [named(b"one")],
        ]
        stable.play(*busy)
        second.play(*busy)
        with router.connect() as holding, router.connect() as client:
            holding.send(GET)
            wait_for(lambda: bool(stable.connections or second.connections), "a connection")
            (holder, free) = (stable, second) if stable.connections else (second, stable)
            free.play([named(b"free")])
            assert [ask(client) for _ in range(5)] == [b"free"] * 5
            assert len(holder.connections) == 1
            go.set()
            assert holding.answer().status == 200


@pytest.mark.slow
def test_both_endpoints_are_used(tmp_path: Path, stable: Upstream, second: Upstream, canary: Upstream) -> None:
    arms = ((stable.url, second.url), (canary.url,))
    with running_router(tmp_path, stable, canary, arms=arms) as router:
        gate = stable.gate()
        script: list[Step] = [steps.message(), steps.wait(gate), steps.send(steps.OK), steps.serve()]
        stable.play(script)
        second.play(script)
        clients = [router.connect() for _ in range(4)]
        try:
            for client in clients:
                client.send(GET)
            wait_for(lambda: len(stable.connections) + len(second.connections) == 4, "four connections")
            assert len(stable.connections) == len(second.connections) == 2
            gate.set()
            assert [client.answer().status for client in clients] == [200] * 4
        finally:
            for client in clients:
                client.sock.close()


@pytest.mark.slow
def test_unhealthy_canary_gets_no_requests(tmp_path: Path, stable: Upstream, canary: Upstream) -> None:
    """`/ping` of the canary says 500: its requests go to stable; when it is well again, they come back."""
    ill = [False]

    def answer(target: bytes) -> bytes:
        return steps.OK.replace(b"200 OK", b"500 No") if ill[0] and target == b"/ping" else steps.OK

    stable.play([steps.serve()])
    canary.play([steps.serve_each(answer)])
    with running_router(tmp_path, stable, canary, FAST) as router, router.connect() as client:

        def served() -> bytes | None:
            client.send(CANARY)
            found = client.answer()
            assert found.status == 200, found.raw
            return found.value(b"x-cutover-arm")

        wait_for(lambda: served() == b"canary", "the canary is up")
        ill[0] = True
        wait_for(lambda: served() == b"stable", "the canary is down")
        assert [served() for _ in range(3)] == [b"stable"] * 3
        ill[0] = False
        wait_for(lambda: served() == b"canary", "the canary is up again")


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["stable", "canary"])
def test_an_arm_that_is_all_down_is_tried_anyway(tmp_path: Path, stable: Upstream, canary: Upstream, arm: str) -> None:
    """Panic mode, decided so: a wrong health path mustn't take a site down. The canary has stable to fall back to."""
    stable.play([steps.serve()])
    closed, there = f"http://127.0.0.1:{free_port()}", stable.url
    arms = ((closed,), (there,)) if arm == "stable" else ((there,), (closed,))
    with running_router(tmp_path, stable, canary, FAST + "eject_after = 2\neject_for = 60\n", arms=arms) as router:
        wait_for(lambda: f'arm="{arm}",endpoint="{closed}"}} 0' in router.admin("GET", "/metrics")[1].decode(), "down")
        with router.connect() as client:
            for _ in range(6):
                client.send(GET if arm == "stable" else CANARY)
                answer = client.answer()
                if arm == "canary":
                    assert (answer.status, answer.value(b"x-cutover-arm")) == (200, b"stable")
                else:
                    assert answer.status == 502
                    check_error(answer)


@pytest.mark.slow
def test_passive_ejection(tmp_path: Path, stable: Upstream, canary: Upstream) -> None:
    """One of two endpoints refuses: after some failures the worker leaves it alone and all goes well."""
    stable.play([named(b"well")])
    arms = ((f"http://127.0.0.1:{free_port()}", stable.url), (canary.url,))
    settings = "[health]\ninterval = 0\neject_after = 2\neject_for = 60\n"
    with running_router(tmp_path, stable, canary, settings, arms=arms) as router:
        statuses = []
        for _ in range(30):
            with router.connect() as client:
                client.send(GET)
                statuses.append(client.answer().status)
        assert set(statuses) <= {200, 502}
        assert statuses.count(502) <= 2
        assert statuses[-10:] == [200] * 10

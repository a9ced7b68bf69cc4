"""Runs a drill: two synthetic arms, a router of its own on free ports and in a temporary folder, one fault after the
other; then takes all of it away."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx

from ..demo.processes import DemoError, Processes, free_port
from .faults import FAULTS, Fault, Result
from .load import load
from .service import Service

#: Seconds of healthy traffic before a fault: enough of stable's requests to know its latency.
HEALTHY_SECONDS = 2.5
#: Seconds for which a worker leaves an endpoint alone that refused it (health.eject_for), and a bit.
EJECTED_SECONDS = 2.5
#: Seconds after which a fault counts as not detected.
PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PLAN = {"name": "drill", "step": [{"name": "drill", "percent": 10, "hold": "1h"}]}

Tell = Callable[[Result], None]


def drill(tell: Tell) -> list[Result]:
    """Try every fault; `tell` hears of each result.

    Raises:
        DemoError: the drill's own router doesn't start or answer.
    """
    with tempfile.TemporaryDirectory(prefix="cutover-drill-") as folder, Processes(Path(folder)) as processes:
        return asyncio.run(_drill(processes, tell))


async def _drill(processes: Processes, tell: Tell) -> list[Result]:
    stable, canary = Service(), Service()
    await stable.start()
    await canary.start()
    port, admin_port, token = free_port(), free_port(), secrets.token_urlsafe(24)
    flags = ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin_port}", "--workers", "1"]
    flags += ["--stable", f"http://127.0.0.1:{stable.port}", "--canary", f"http://127.0.0.1:{canary.port}"]
    processes.start("router", ["router", "serve", *flags], {"CUTOVER_ADMIN_TOKEN": token})
    admin = f"http://127.0.0.1:{admin_port}"
    await asyncio.to_thread(processes.wait_until_ready, "router", f"{admin}/readyz")
    headers = {"Authorization": f"Bearer {token}"}
    traffic = asyncio.create_task(load(port))
    results = []
    try:
        async with httpx.AsyncClient(base_url=admin, headers=headers, trust_env=False) as client:
            for fault in FAULTS:
                results.append(await _try(client, canary, fault))
                tell(results[-1])
    except httpx.HTTPError as error:
        raise DemoError(f"the drill's router doesn't answer: {type(error).__name__}") from None
    finally:
        traffic.cancel()
        with suppress(asyncio.CancelledError):
            await traffic
        await stable.stop()
        await canary.stop()
    return results


async def _try(client: httpx.AsyncClient, canary: Service, fault: Fault) -> Result:
    await _until(partial(_is_settled, client), "the drill's canary didn't come back")
    started = await client.post("/api/v1/rollouts", json={"plan": _PLAN, "reason": f"drill: {fault}"})
    started.raise_for_status()
    await asyncio.sleep(HEALTHY_SECONDS)
    if await _is_over(client):
        raise DemoError("the drill's canary was rolled back while it was healthy; is this machine very busy?")
    await canary.begin(fault)
    began = time.monotonic()
    detected = await _until(partial(_is_over, client))
    seconds, requests = time.monotonic() - began, canary.requests
    await canary.heal()
    if fault == "refused":
        await asyncio.sleep(EJECTED_SECONDS)
    if not detected:
        (await client.post("/api/v1/rollout/rollback", json={"reason": "not detected"})).raise_for_status()
        return Result(fault, False, requests, round(seconds, 2), None)
    decision = (await client.get("/api/v1/decisions?limit=1")).json()["rows"][0]
    return Result(fault, True, requests, round(seconds, 2), decision["gate"])


async def _until(met: Callable[[], Awaitable[bool]], otherwise: str = "") -> bool:
    """Whether it was met in time; with `otherwise`, a `DemoError` when it wasn't."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if await met():
            return True
        await asyncio.sleep(_POLL_SECONDS)
    if otherwise:
        raise DemoError(otherwise)
    return False


async def _is_settled(client: httpx.AsyncClient) -> bool:
    """The canary is healthy again, and nothing of the fault before is under way."""
    arm = (await client.get("/api/v1/status")).json()["arms"]["canary"]
    up: bool = arm["endpoints"][0]["up"]
    return up and arm["active"] == 0


async def _is_over(client: httpx.AsyncClient) -> bool:
    phase: str = (await client.get("/api/v1/rollout")).json()["phase"]
    return phase == "rolled_back"

"""Whether each service inside the backend works, asked when somebody wants to know.

A service registers a check by name. It answers how it is (`ok`; `degraded`: works, but not as it should; `down`) and
why. The backend is unhealthy when a vital service is down, degraded when anything else isn't ok.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from loguru import logger

from ..errors import BackendError

#: Seconds that one check may take; whoever asks for /health gives up soon after.
DEADLINE = 2.0

State = Literal["ok", "degraded", "down"]


class Finding(NamedTuple):
    """How a service is, and what there is to know about it; public, so no secret, address or path."""

    state: State
    details: Mapping[str, object] = {}


Check = Callable[[], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class Report:
    """All findings by service, in the order of registration."""

    findings: Mapping[str, Finding]
    healthy: bool

    def as_json(self) -> dict[str, Any]:
        """`{"status", "services": {name: state}, "details": {name: {…}}}`."""
        states = {name: found.state for name, found in self.findings.items()}
        fine = set(states.values()) <= {"ok"}
        return {
            "status": "unhealthy" if not self.healthy else "healthy" if fine else "degraded",
            "services": states,
            "details": {name: found.details for name, found in self.findings.items() if found.details},
        }


@dataclass(frozen=True, slots=True)
class _Service:
    check: Check
    vital: bool
    deadline: float


@dataclass
class Checks:
    """The registry: services register at start, /health asks all of them at once."""

    _services: dict[str, _Service] = field(default_factory=dict)

    def register(self, name: str, check: Check, *, vital: bool = False, deadline: float = DEADLINE) -> None:
        """`vital`: without this service requests fail, so that nobody should send any."""
        self._services[name] = _Service(check, vital, deadline)

    async def report(self) -> Report:
        findings = await asyncio.gather(*(_ask(name, service) for name, service in self._services.items()))
        by_name = dict(zip(self._services, findings, strict=True))
        healthy = all(by_name[name].state != "down" for name, service in self._services.items() if service.vital)
        return Report(by_name, healthy)


async def _ask(name: str, service: _Service) -> Finding:
    try:
        async with asyncio.timeout(service.deadline):
            return await service.check()
    except TimeoutError:
        return Finding("down", {"reason": f"no answer within {service.deadline:g} s"})
    except BackendError as error:
        return Finding("down", {"reason": str(error)})
    except Exception:
        logger.exception("the health check of {} failed", name)
        return Finding("down", {"reason": "its check failed; the log says how"})

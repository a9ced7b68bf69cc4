"""The checks of the ingestion: does the poller get on, and does the ingestion service answer?"""

from __future__ import annotations

from ..clock import Clock, wall
from ..errors import IngestionAwayError, IngestionError, IngestionTimeoutError
from ..ingest.progress import Phase, Progress
from .checks import Check, Finding

_SERVICE = frozenset(error.label for error in (IngestionError, IngestionAwayError, IngestionTimeoutError))


def poller_check(progress: Progress, clock: Clock = wall) -> Check:
    async def check() -> Finding:
        now = clock()
        details: dict[str, object] = {
            "phase": progress.phase.value,
            "last_poll_seconds_ago": _rounded(progress.age(now)),
            "lag_seconds": _rounded(progress.lag(now)),
            "quarantined": progress.quarantined,
        }
        if progress.phase is not Phase.FAILING:
            return Finding("ok", details)
        return Finding("degraded", {**details, "reason": f"polls fail: {progress.error_label}"})

    return check


def grpc_client_check(progress: Progress) -> Check:
    async def check() -> Finding:
        if progress.error_label in _SERVICE:
            return Finding("down", {"reason": f"the ingestion service can't be read: {progress.error_label}"})
        return Finding("ok")

    return check


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)

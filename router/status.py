"""What the router tells about itself: the models of GET /api/v1/status and the code that fills them.

Everything is read from the shared table and the ring of samples; nothing here changes anything. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, Field

from .config import Settings
from .counters import ACTIVE, BUSY, IDLE, QUEUED, RETRIES, SeriesKey, Totals, unpack
from .histogram import CELLS, quantile
from .process import usage
from .rates import Rates
from .rollout.status import RolloutStatus
from .table import ARMS, CANARY, STABLE, WEIGHT_ONE, Table


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker as the supervisor knows it: listening `slot`, `block` of the table, `started_at` (monotonic)."""

    pid: int
    slot: int
    block: int
    state: str
    started_at: float


class EndpointStatus(BaseModel):
    url: str
    up: bool = Field(description="by the active health checks")


class Latency(BaseModel):
    """Seconds; null when there was no request."""

    p50: float | None
    p95: float | None
    p99: float | None


class Latencies(BaseModel):
    minute: Latency = Field(description="of the last minute")
    total: Latency = Field(description="since the router started")


class Pool(BaseModel):
    """Connections to the arm's endpoints, of all workers."""

    idle: int
    busy: int
    queued: int = Field(description="requests waiting for a connection")


class ArmStatus(BaseModel):
    endpoints: list[EndpointStatus]
    requests: int
    codes: dict[str, int] = Field(description="answers by class of status: 2xx, 3xx, 4xx, 5xx")
    errors: dict[str, int] = Field(description="upstream failures by kind; kinds that never happened are left out")
    retries: int
    rps: float = Field(description="requests a second, over the last five seconds")
    active: int = Field(description="requests in progress")
    latency: Latencies
    sessions: int = Field(description="distinct users of the last 15 minutes, ±2.3 %")
    pool: Pool


class Arms(BaseModel):
    stable: ArmStatus
    canary: ArmStatus


class WorkerStatus(BaseModel):
    pid: int
    slot: int
    block: int
    state: str
    uptime: float
    rss: int | None = Field(description="resident bytes; null when the process is gone")


class StoreStatus(BaseModel):
    state: Literal["ok", "failed"]
    message: str = Field(description="why it failed, and what to do")
    persisted: bool = Field(description="false: a restart would forget the latest change")


class Status(BaseModel):
    """The router at one moment."""

    version: str
    uptime: float
    revision: int = Field(description="counts changes; the ETag that If-Match compares")
    percent: float = Field(description="the canary's weight")
    intended_share: float
    observed_share: float | None = Field(
        description="the canary's share of the last minute's requests that the weight decided"
    )
    salt: str = Field(description="fingerprint; another one means that users were dealt anew")
    fallbacks: int = Field(description="requests that stable answered because the canary couldn't")
    clients: int = Field(description="open client connections")
    tunnels: int = Field(description="upgraded (WebSocket) connections")
    arms: Arms
    workers: list[WorkerStatus]
    store: StoreStatus
    rollout: RolloutStatus | None = Field(None, description="the one that runs or ran last")


def fingerprint(salt: int) -> str:
    """Tells two salts apart without giving one away (with it, identities could be picked for an arm)."""
    return sha256(salt.to_bytes(8, "big")).hexdigest()[:12]


def percent(weight: int) -> float:
    return weight * 100 / WEIGHT_ONE


def endpoints(settings: Settings, table: Table, arm: int) -> list[EndpointStatus]:
    urls = (settings.stable, settings.canary)[arm]
    return [EndpointStatus(url=url, up=table.up(arm, index)) for index, url in enumerate(urls)]


def arms(settings: Settings, table: Table, totals: Totals, rates: Rates, minute: int) -> Arms:
    """Both arms; `minute` is minutes since the epoch, as the workers count sessions."""
    series, errors = totals.series(), totals.errors()

    def arm(number: int) -> ArmStatus:
        requests = {key: packed for key, packed in series.items() if key.arm == ARMS[number]}
        cells = unpack(sum(requests.values()))[:CELLS]
        return ArmStatus(
            endpoints=endpoints(settings, table, number),
            requests=sum(cells),
            codes=_codes(requests),
            errors={kind: count for (name, kind), count in errors.items() if name == ARMS[number] and count},
            retries=totals.counter(RETRIES + number),
            rps=round(rates.per_second(number), 2),
            active=totals.gauge(ACTIVE + number),
            latency=Latencies(minute=_latency(rates.recent(number)), total=_latency(cells)),
            sessions=round(totals.sessions(number, minute)),
            pool=Pool(
                idle=totals.gauge(IDLE + number),
                busy=totals.gauge(BUSY + number),
                queued=totals.gauge(QUEUED + number),
            ),
        )

    return Arms(stable=arm(STABLE), canary=arm(CANARY))


def _codes(requests: Mapping[SeriesKey, int]) -> dict[str, int]:
    groups = {"2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0}
    for key, packed in requests.items():
        group = f"{key.code[0]}xx"
        groups[group] = groups.get(group, 0) + packed
    return {group: sum(unpack(packed)[:CELLS]) for group, packed in groups.items()}


def workers(infos: Sequence[WorkerInfo], now: float) -> list[WorkerStatus]:
    return [
        WorkerStatus(
            pid=info.pid,
            slot=info.slot,
            block=info.block,
            state=info.state,
            uptime=round(max(0.0, now - info.started_at), 1),
            rss=reading.resident if (reading := usage(info.pid)) else None,
        )
        for info in infos
    ]


def _latency(cells: Sequence[int]) -> Latency:
    return Latency(p50=quantile(cells, 0.5), p95=quantile(cells, 0.95), p99=quantile(cells, 0.99))

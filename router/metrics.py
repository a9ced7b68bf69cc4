"""Every Prometheus series of the router, named once; filled from shared memory when somebody asks.

A collector, not instruments: workers count in their own cells, and nothing here runs on a request. Names follow
Prometheus: base units, ``_total`` on counters. Labels come from bounded sets only (routes beyond those configured
are ``_OTHER``), never from what a client sends.
"""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from .counters import (
    ACCEPTED,
    ACTIVE,
    BUSY,
    CLIENTS,
    FALLBACKS,
    IDLE,
    QUEUED,
    RETRIES,
    TUNNELS,
    UPGRADES,
    SeriesKey,
    unpack,
)
from .histogram import CELLS, OTEL_BUCKETS, otel_counts
from .process import Usage, usage
from .rollout.machine import current
from .status import endpoints
from .table import ARMS
from .version import VERSION

if TYPE_CHECKING:
    from .control import Control
    from .rollout.driver import Rollouts

#: Sample of a family: label values, then the value.
Samples = Iterable[tuple[Sequence[str], float]]

_VERDICTS = ("hold", "pass", "fail")

_LE = (*map(str, OTEL_BUCKETS), "+Inf")


def exposition(control: Control, rollouts: Rollouts, accept: str) -> tuple[bytes, str]:
    """The text for a scraper that sent `accept`, and its media type."""
    registry = CollectorRegistry()
    registry.register(Collector(control, rollouts))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class Collector:
    """Reads everything at the moment it is asked."""

    def __init__(self, control: Control, rollouts: Rollouts) -> None:
        self._control = control
        self._rollouts = rollouts
        self._totals = control.totals

    def describe(self) -> Iterable[Metric]:
        """No names in advance, so that registering doesn't collect."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._requests()
        yield from self._upstreams()
        yield from self._split()
        yield from self._rollout()
        yield from self._clients()
        yield from self._processes()

    def _requests(self) -> Iterator[Metric]:
        series = self._totals.series()
        durations = HistogramMetricFamily(
            "http_server_request_duration_seconds",
            "Time from a request's first byte to its answer's last.",
            labels=("arm", "method", "code", "route"),
        )
        for (arm, method, code, route), cells in _sum(
            series, lambda key: (key.arm, key.method, key.code, key.route)
        ).items():
            buckets = list(zip(_LE, map(float, otel_counts(cells)), strict=True))
            durations.add_metric((arm, method, code, route), buckets, cells[CELLS] / 1e6)
        yield durations
        yield _gauge("http_server_active_requests", "Requests in progress.", ("arm",), self._by_arm(ACTIVE))
        counted = _sum(series, lambda key: (key.arm, key.assigned_by, key.code))
        yield _counter(
            "cutover_requests_total",
            "Answered requests, by what chose their arm.",
            ("arm", "assigned_by", "code"),
            ((labels, sum(cells[:CELLS])) for labels, cells in counted.items()),
        )

    def _upstreams(self) -> Iterator[Metric]:
        control, totals = self._control, self._totals
        yield _counter(
            "cutover_upstream_errors_total",
            "Failures of an upstream to take a request or to answer it.",
            ("arm", "kind"),
            totals.errors().items(),
        )
        yield _counter(
            "cutover_retries_total",
            "Requests sent again because a kept connection turned out closed.",
            ("arm",),
            (((arm,), totals.counter(RETRIES + number)) for number, arm in enumerate(ARMS)),
        )
        yield _counter(
            "cutover_fallbacks_total",
            "Requests that stable answered because the canary couldn't.",
            (),
            [((), totals.counter(FALLBACKS))],
        )
        yield _gauge(
            "cutover_pool_connections",
            "Open connections to endpoints.",
            ("arm", "state"),
            (
                ((arm, state), totals.gauge(gauge + number))
                for number, arm in enumerate(ARMS)
                for state, gauge in (("idle", IDLE), ("busy", BUSY))
            ),
        )
        yield _gauge("cutover_pool_queued", "Requests waiting for a connection.", ("arm",), self._by_arm(QUEUED))
        yield _gauge(
            "cutover_endpoint_up",
            "1 when the active health checks find the endpoint up.",
            ("arm", "endpoint"),
            (
                ((arm, endpoint.url), float(endpoint.up))
                for number, arm in enumerate(ARMS)
                for endpoint in endpoints(control.settings, control.table, number)
            ),
        )

        yield _gauge(
            "cutover_endpoint_ejected",
            "Workers that leave the endpoint alone for a moment because it refused them.",
            ("arm", "endpoint"),
            (
                ((arm, url), totals.ejections(number, index))
                for number, arm in enumerate(ARMS)
                for index, url in enumerate((control.settings.stable, control.settings.canary)[number])
            ),
        )

    def _split(self) -> Iterator[Metric]:
        control = self._control
        yield _gauge("cutover_weight_ratio", "Share of users meant for the canary.", (), [((), control.percent / 100)])
        observed = control.observed_share()
        yield _gauge(
            "cutover_observed_ratio",
            "Canary's share of the last minute's requests that the weight decided; absent without any.",
            (),
            [] if observed is None else [((), observed)],
        )
        minute = control.minute()
        yield _gauge(
            "cutover_active_sessions",
            "Distinct users of the last 15 minutes (estimate, standard error 2.3 %).",
            ("arm",),
            (((arm,), round(self._totals.sessions(number, minute))) for number, arm in enumerate(ARMS)),
        )

    def _rollout(self) -> Iterator[Metric]:
        rollouts, rollout = self._rollouts, self._rollouts.current
        yield _counter(
            "cutover_rollbacks_total",
            "Rollbacks, by the gate that decided or the operator.",
            ("reason",),
            (((reason,), count) for reason, count in rollouts.rollbacks.items()),
        )
        lag = rollouts.decision_lag
        yield _gauge(
            "cutover_decision_lag_seconds",
            "From reading the counters to every worker's having the new weight, for the latest decision.",
            (),
            [] if lag is None else [((), lag)],
        )
        if rollout is None:
            return
        state, step = rollout.state, current(rollout.plan, rollout.state)
        yield _gauge(
            "cutover_step_info",
            "Always 1; the rollout, its step and phase are in the labels.",
            ("rollout", "plan", "step", "phase"),
            [((str(rollout.id), rollout.plan.name, step.name, state.phase), 1)],
        )
        yield _gauge("cutover_step_elapsed_seconds", "Serving time in the step.", (), [((), state.elapsed)])
        yield _gauge("cutover_step_hold_seconds", "Serving time that the step takes.", (), [((), step.hold)])
        yield _gauge("cutover_step_samples", "Requests of the canary in the step.", (), [((), state.samples)])
        readings = rollout.readings
        yield _gauge(
            "cutover_gate_state",
            "0 hold, 1 pass, 2 fail.",
            ("gate",),
            (((reading.gate,), _VERDICTS.index(reading.verdict)) for reading in readings),
        )
        yield _gauge(
            "cutover_gate_value",
            "What the gate measures on the canary.",
            ("gate",),
            (((reading.gate,), reading.value) for reading in readings if reading.value is not None),
        )
        yield _gauge(
            "cutover_gate_bound",
            "What the value is held against.",
            ("gate",),
            (((reading.gate,), reading.bound) for reading in readings if reading.bound is not None),
        )

    def _clients(self) -> Iterator[Metric]:
        totals = self._totals
        yield _gauge("cutover_client_connections", "Open client connections.", (), [((), totals.gauge(CLIENTS))])
        yield _counter(
            "cutover_client_connections_opened_total",
            "Client connections accepted.",
            (),
            [((), totals.counter(ACCEPTED))],
        )
        yield _counter(
            "cutover_upgrades_total", "Connections upgraded, as to WebSocket.", (), [((), totals.counter(UPGRADES))]
        )
        yield _gauge("cutover_tunnels", "Upgraded connections, as of WebSocket.", (), [((), totals.gauge(TUNNELS))])
        yield _counter(
            "cutover_client_errors_total",
            "Requests or connections that ended on the client's side.",
            ("reason",),
            (((reason,), count) for reason, count in totals.client_errors().items()),
        )
        yield _gauge(
            "cutover_build_info",
            "Always 1; what runs is in the labels.",
            ("version", "python"),
            [((VERSION, platform.python_version()), 1)],
        )

    def _processes(self) -> Iterator[Metric]:
        readings = self._readings()

        def of(read: Callable[[Usage], float]) -> Samples:
            return [((name,), read(reading)) for name, reading in readings.items()]

        process = ("process",)
        yield _counter("process_cpu_seconds_total", "CPU time used.", process, of(lambda u: u.cpu))
        yield _gauge("process_resident_memory_bytes", "Resident memory.", process, of(lambda u: u.resident))
        yield _gauge("process_open_fds", "Open file descriptors.", process, of(lambda u: u.files))
        yield _gauge("process_start_time_seconds", "Start, since the epoch.", process, of(lambda u: u.started))

    def _readings(self) -> dict[str, Usage]:
        pids = {"supervisor": os.getpid()}
        # While a slot is handed over it has two processes; the one that started last takes the name.
        for info in sorted(self._control.workers(), key=lambda info: info.started_at):
            pids[f"worker-{info.slot}"] = info.pid
        readings = {name: usage(pid) for name, pid in pids.items()}
        return {name: reading for name, reading in readings.items() if reading is not None}

    def _by_arm(self, gauge: int) -> Samples:
        return [((arm,), self._totals.gauge(gauge + number)) for number, arm in enumerate(ARMS)]


def _sum(
    series: dict[SeriesKey, int], labels: Callable[[SeriesKey], tuple[str, ...]]
) -> dict[tuple[str, ...], list[int]]:
    """Histograms of all series that agree in `labels`, added up."""
    grouped: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for key, packed in series.items():
        grouped[labels(key)] += packed
    return {group: unpack(packed) for group, packed in grouped.items()}


def _gauge(name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family

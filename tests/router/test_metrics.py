"""Names, labels and values of everything a scraper sees."""

from __future__ import annotations

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from router.control import Control
from router.counters import ACTIVE, BUSY, CLIENTS, FALLBACKS, IDENTITY, NEW, PIN, QUEUED, RETRIES, TUNNELS, Counters
from router.metrics import exposition
from router.rollout.driver import Rollouts
from router.rollout.plan import Plan
from router.status import WorkerInfo
from router.table import CANARY, PID, STABLE, Table
from tests.router.fakes import CANARY_URL, STABLE_URL, FakeClock

NAMES = {
    "http_server_request_duration_seconds": "histogram",
    "http_server_active_requests": "gauge",
    "cutover_requests": "counter",
    "cutover_upstream_errors": "counter",
    "cutover_retries": "counter",
    "cutover_fallbacks": "counter",
    "cutover_pool_connections": "gauge",
    "cutover_pool_queued": "gauge",
    "cutover_endpoint_up": "gauge",
    "cutover_weight_ratio": "gauge",
    "cutover_observed_ratio": "gauge",
    "cutover_active_sessions": "gauge",
    "cutover_client_connections": "gauge",
    "cutover_client_connections_opened": "counter",
    "cutover_endpoint_ejected": "gauge",
    "cutover_tunnels": "gauge",
    "cutover_upgrades": "counter",
    "cutover_client_errors": "counter",
    "cutover_rollbacks": "counter",
    "cutover_decision_lag_seconds": "gauge",
    "cutover_step_info": "gauge",
    "cutover_step_elapsed_seconds": "gauge",
    "cutover_step_hold_seconds": "gauge",
    "cutover_step_samples": "gauge",
    "cutover_gate_state": "gauge",
    "cutover_gate_value": "gauge",
    "cutover_gate_bound": "gauge",
    "cutover_build_info": "gauge",
    "process_cpu_seconds": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_open_fds": "gauge",
    "process_start_time_seconds": "gauge",
}

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _series(control: Control) -> Series:
    rollouts = Rollouts(control, control._store, control._clock)
    text, _ = exposition(control, rollouts, "")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def _value(series: Series, name: str, **labels: str) -> float:
    return series[name, frozenset(labels.items())]


async def test_names_and_types(control: Control, rollouts: Rollouts) -> None:
    await rollouts.start(Plan(), "operator", "go")
    text, media_type = exposition(control, rollouts, "")
    families = list(text_string_to_metric_families(text.decode()))
    assert {family.name: family.type for family in families} == NAMES
    assert all(family.documentation for family in families)
    assert media_type.startswith("text/plain")


def test_openmetrics_when_asked_for(control: Control, rollouts: Rollouts) -> None:
    text, media_type = exposition(control, rollouts, "application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


@pytest.fixture
async def busy(control: Control, table: Table, clock: FakeClock) -> Series:
    await control.set_weight(12.5, "a", "r")
    control.workers = lambda: [WorkerInfo(os.getpid(), 0, 0, "serving", clock.time())]
    counters = Counters(table.block(0))
    table.block(0).cells[PID] = 1
    for by, method, duration in ((IDENTITY, b"GET", 4000), (NEW, b"GET", 6000), (PIN, b"POST", 11_000_000)):
        counters.observe(STABLE, by, method, 200, "/a", duration)
    counters.observe(CANARY, IDENTITY, b"GET", 503, "_OTHER", 100)
    counters.error(CANARY, "refused")
    counters.client_error("gone")
    for counter in (FALLBACKS, RETRIES + CANARY):
        counters.count(counter)
    for gauge in (ACTIVE + STABLE, BUSY + STABLE, QUEUED + CANARY, CLIENTS, TUNNELS):
        counters.gauge(gauge, 2)
    counters.clear_minute(control.minute())
    counters.session(CANARY, control.minute(), 99)
    table.set_up(CANARY, [False])
    clock.advance(1)
    await control.tick()
    return _series(control)


def test_durations_are_exact_at_the_otel_edges(busy: Series) -> None:
    labels = {"arm": "stable", "method": "GET", "code": "200", "route": "/a"}
    name = "http_server_request_duration_seconds"
    assert _value(busy, f"{name}_bucket", le="0.005", **labels) == 1
    assert _value(busy, f"{name}_bucket", le="0.01", **labels) == 2
    assert _value(busy, f"{name}_bucket", le="+Inf", **labels) == 2
    assert _value(busy, f"{name}_count", **labels) == 2
    assert _value(busy, f"{name}_sum", **labels) == pytest.approx(0.01)
    late = labels | {"method": "POST"}
    assert (_value(busy, f"{name}_bucket", le="10.0", **late), _value(busy, f"{name}_count", **late)) == (0, 1)


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("cutover_requests_total", {"arm": "stable", "assigned_by": "identity", "code": "200"}, 1),
        ("cutover_requests_total", {"arm": "stable", "assigned_by": "pin", "code": "200"}, 1),
        ("cutover_requests_total", {"arm": "canary", "assigned_by": "identity", "code": "503"}, 1),
        ("http_server_active_requests", {"arm": "stable"}, 2),
        ("http_server_active_requests", {"arm": "canary"}, 0),
        ("cutover_upstream_errors_total", {"arm": "canary", "kind": "refused"}, 1),
        ("cutover_upstream_errors_total", {"arm": "stable", "kind": "refused"}, 0),
        ("cutover_client_errors_total", {"reason": "gone"}, 1),
        ("cutover_retries_total", {"arm": "canary"}, 1),
        ("cutover_fallbacks_total", {}, 1),
        ("cutover_pool_connections", {"arm": "stable", "state": "busy"}, 2),
        ("cutover_pool_connections", {"arm": "stable", "state": "idle"}, 0),
        ("cutover_pool_queued", {"arm": "canary"}, 2),
        ("cutover_endpoint_up", {"arm": "stable", "endpoint": STABLE_URL}, 1),
        ("cutover_endpoint_up", {"arm": "canary", "endpoint": CANARY_URL}, 0),
        ("cutover_weight_ratio", {}, 0.125),
        ("cutover_observed_ratio", {}, 1 / 3),
        ("cutover_active_sessions", {"arm": "canary"}, 1),
        ("cutover_client_connections", {}, 2),
        ("cutover_tunnels", {}, 2),
    ],
)
def test_values(busy: Series, name: str, labels: dict[str, str], value: float) -> None:
    assert _value(busy, name, **labels) == pytest.approx(value)


def test_every_process_is_told_apart(busy: Series) -> None:
    assert _value(busy, "process_resident_memory_bytes", process="supervisor") > 0
    assert _value(busy, "process_resident_memory_bytes", process="worker-0") > 0


def test_a_worker_that_is_gone_is_left_out(control: Control) -> None:
    control.workers = lambda: [WorkerInfo(2**22 + 1, 0, 0, "serving", 0.0)]
    assert ("process_open_fds", frozenset({("process", "worker-0")})) not in _series(control)


def test_while_a_slot_is_handed_over_the_younger_worker_counts(control: Control) -> None:
    control.workers = lambda: [
        WorkerInfo(os.getpid(), 0, 0, "serving", 2.0),
        WorkerInfo(2**22 + 1, 0, 1, "draining", 1.0),
    ]
    assert _value(_series(control), "process_open_fds", process="worker-0") > 0


def test_no_share_without_requests(control: Control) -> None:
    assert ("cutover_observed_ratio", frozenset()) not in _series(control)

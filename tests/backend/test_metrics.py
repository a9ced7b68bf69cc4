"""The series as a scraper sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from backend.metrics import Metrics
from backend.sessions import WINDOW, Sessions


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_requests_by_method_route_and_status(metrics: Metrics) -> None:
    for seconds in (0.004, 0.2):
        metrics.request("GET", "/users/{id}", 200, seconds)
    labels = {
        "http_request_method": "GET",
        "http_route": "/users/{id}",
        "http_response_status_code": "200",
    }
    name = "http_server_request_duration_seconds"
    assert value(metrics, f"{name}_count", **labels) == 2
    assert value(metrics, f"{name}_sum", **labels) == pytest.approx(0.204)
    assert value(metrics, f"{name}_bucket", **labels, le="0.005") == 1


def test_what_clients_send_makes_no_series(metrics: Metrics) -> None:
    for number in range(100):
        metrics.request(f"METHOD{number}", "", 404, 0.001)
    series = [line for line in metrics.exposition("")[0].decode().splitlines() if "_count{http_request" in line]
    assert series == [
        "http_server_request_duration_seconds_count"
        '{http_request_method="_OTHER",http_response_status_code="404",http_route="_OTHER"} 100.0'
    ]


def test_queries_by_name(metrics: Metrics) -> None:
    metrics.sqlite_query("users_list", 0.0002)
    metrics.duckdb_query("root_spans", 0.3)
    assert value(metrics, "backend_sqlite_query_duration_seconds_count", query="users_list") == 1
    assert value(metrics, "backend_duckdb_query_duration_seconds_sum", query="root_spans") == 0.3


def test_grpc_calls_by_method_and_status(metrics: Metrics) -> None:
    metrics.grpc_served("ValidateApiKey", "UNAVAILABLE", 0.5)
    metrics.grpc_called("ReadSpans", "OK", 0.25)
    served = {"rpc_method": "ValidateApiKey", "rpc_response_status_code": "UNAVAILABLE"}
    assert value(metrics, "rpc_server_call_duration_seconds_sum", **served) == 0.5
    called = {"rpc_method": "ReadSpans", "rpc_response_status_code": "OK"}
    assert value(metrics, "rpc_client_call_duration_seconds_count", **called) == 1


def test_sizes_of_files(metrics: Metrics, tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"x" * 100)
    (tmp_path / "a.db-journal").write_bytes(b"x" * 10)
    (tmp_path / "d.db.wal").write_bytes(b"x")
    metrics.watch_files({"a": tmp_path / "a.db", "d": tmp_path / "d.db", "none": tmp_path / "none.db"})
    sizes = {name: value(metrics, "backend_database_size_bytes", database=name) for name in ("a", "d", "none")}
    assert sizes == {"a": 110, "d": 1, "none": 0}


def test_connections_are_read_when_asked(metrics: Metrics) -> None:
    busy = 0
    metrics.watch_connections(lambda: busy, of=2)
    busy = 1
    assert value(metrics, "backend_sqlite_connections", state="busy") == 1
    assert value(metrics, "backend_sqlite_connections", state="idle") == 1


def test_every_series_parses_and_is_named_once(metrics: Metrics) -> None:
    metrics.request("GET", "/ping", 200, 0.001)
    text, media_type = metrics.exposition("")
    assert media_type.startswith("text/plain")
    names = [family.name for family in text_string_to_metric_families(text.decode())]
    assert len(names) == len(set(names))
    assert {"backend_build_info", "process_resident_memory_bytes", "http_server_active_requests"} <= set(names)
    assert not [name for name in names if name.endswith("_created")]
    assert "openmetrics" in metrics.exposition("application/openmetrics-text; version=1.0.0")[1]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_sessions_of_the_last_15_minutes() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    sessions.saw("a")
    clock.now += WINDOW - 1
    sessions.saw("b")
    sessions.saw("b")
    assert sessions.count() == 2
    clock.now += 2
    assert sessions.count() == 1
    sessions.saw("a")
    clock.now += WINDOW - 1
    assert sessions.count() == 1
    clock.now += 2
    assert sessions.count() == 0


def test_a_user_who_stays_hides_nobody_who_left() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    for user in ("stays", "leaves", "stays"):
        sessions.saw(user)
        clock.now += WINDOW / 2 + 1
    assert sessions.count() == 1


def test_sessions_are_bounded() -> None:
    sessions = Sessions(Clock(), most=3)
    for user in ("a", "b", "a", "c", "d"):
        sessions.saw(user)
    assert sessions.count() == 3

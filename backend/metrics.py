"""Every Prometheus series of the backend, named once.

Labels come from bounded sets only: routes as templates (unknown ones are ``_OTHER``), methods that HTTP defines, names
of our own statements; never what a client sends. What counts per request keeps its child, as looking one up by its
labels costs more than observing. Names are OpenTelemetry's where it has one.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from .clock import Clock, wall
from .ingest.progress import Progress
from .sessions import Sessions
from .version import VERSION

OTHER = "_OTHER"
#: Those that OpenTelemetry's conventions name; any other is `OTHER`.
_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
#: Those that OpenTelemetry advises for http.server.request.duration.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
#: A statement takes 50 µs, or up to 5 s beside another process' lock.
_QUERY_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """`registry` is the whole; the methods are what the rest of the backend calls."""

    def __init__(self, registry: CollectorRegistry, clock: Clock = wall) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each one, that nobody reads
        self.registry = registry
        self.sessions = Sessions(clock)
        #: Requests in progress.
        self.active = 0
        self._requests = Histogram(
            "http_server_request_duration_seconds",
            "Time from a request's head to its answer's last byte.",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._request_children: dict[tuple[str, str, int], Histogram] = {}
        self.sqlite_query = _Timed("backend_sqlite_query_duration_seconds", "SQLite", registry)
        self.duckdb_query = _Timed("backend_duckdb_query_duration_seconds", "DuckDB", registry)
        self.grpc_served = _Called("rpc_server_call_duration_seconds", "Time that gRPC calls to us took.", registry)
        self.grpc_called = _Called("rpc_client_call_duration_seconds", "Time that gRPC calls by us took.", registry)
        self._batch = Histogram(
            "backend_ingest_batch_duration_seconds",
            "Time from a batch of spans to its commit, decoding included.",
            buckets=_QUERY_BUCKETS,
            registry=registry,
        )
        self.ingest_batch = self._batch.observe
        gauge = Gauge("http_server_active_requests", "Requests in progress.", registry=registry)
        gauge.set_function(lambda: self.active)
        gauge = Gauge("backend_active_sessions", "Distinct users of the last 15 minutes.", registry=registry)
        gauge.set_function(self.sessions.count)
        build = Info("backend_build", "What runs.", registry=registry)
        build.info({"version": VERSION, "python": platform.python_version()})
        ProcessCollector(registry=registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is a template, "" for none of ours."""
        key = (method, route, status)
        child = self._request_children.get(key)
        if child is None:
            known = method if method in _METHODS else OTHER
            child = self._requests.labels(known, route or OTHER, str(status))
            if known == method:
                self._request_children[key] = child
        child.observe(seconds)

    def watch_connections(self, busy: Callable[[], int], of: int) -> None:
        """Show how many of `of` SQLite connections run a statement."""
        gauge = Gauge("backend_sqlite_connections", "Open SQLite connections.", ("state",), registry=self.registry)
        gauge.labels("busy").set_function(busy)
        gauge.labels("idle").set_function(lambda: of - busy())

    def watch_ingestion(self, progress: Progress, clock: Clock = wall) -> None:
        """Show how far the poller is."""
        self.registry.register(_Ingestion(progress, clock))

    def watch_role(self, role: Callable[[], str], of: Iterable[str]) -> None:
        """Show which of the roles this backend has."""
        gauge = Gauge("backend_duckdb_role", "1 for the role that the backend has.", ("role",), registry=self.registry)
        for each in of:
            gauge.labels(each).set_function(lambda each=each: float(role() == each))  # type: ignore[misc]

    def watch_files(self, files: Mapping[str, Path]) -> None:
        """Show the sizes of database files, journals and logs beside them included."""
        self.registry.register(_Files(files))

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text for a scraper that sent `accept`, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type


class _Timed:
    """Seconds by name of a statement; call it with both."""

    def __init__(self, name: str, database: str, registry: CollectorRegistry) -> None:
        text = f"Time that callers waited for a {database} statement, locks included."
        self._histogram = Histogram(name, text, ("query",), buckets=_QUERY_BUCKETS, registry=registry)
        self._children: dict[str, Histogram] = {}

    def __call__(self, query: str, seconds: float) -> None:
        child = self._children.get(query)
        if child is None:
            child = self._children[query] = self._histogram.labels(query)
        child.observe(seconds)


class _Called:
    """Seconds of gRPC calls by method and status; call it with all three."""

    def __init__(self, name: str, text: str, registry: CollectorRegistry) -> None:
        labels = ("rpc_method", "rpc_response_status_code")
        self._histogram = Histogram(name, text, labels, buckets=_REQUEST_BUCKETS, registry=registry)

    def __call__(self, method: str, code: str, seconds: float) -> None:
        self._histogram.labels(method, code).observe(seconds)


class _Ingestion:
    """Reads the poller's progress when somebody asks."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        progress = self._progress
        yield CounterMetricFamily("backend_ingest_spans", "Entries read and stored, bad ones too.", progress.spans)
        yield CounterMetricFamily("backend_ingest_indexed", "Spans that were new in the file.", progress.indexed)
        yield CounterMetricFamily("backend_ingest_quarantined", "Entries that were put aside.", progress.quarantined)
        yield CounterMetricFamily("backend_ingest_polls", "Polls that ended well.", progress.polls)
        errors = CounterMetricFamily("backend_ingest_errors", "Polls that failed.", labels=("error",))
        for label, count in progress.errors.items():
            errors.add_metric((label,), count)
        yield errors
        lag = GaugeMetricFamily("backend_ingest_lag_seconds", "How far the file is behind the log; absent if unknown.")
        if (seconds := progress.lag(self._clock())) is not None:
            lag.add_metric((), seconds)
        yield lag


class _Files:
    """Looks at the files when somebody asks."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "backend_database_size_bytes", "Size of a database's files; 0 if there are none.", labels=("database",)
        )
        for name, path in self._files.items():
            family.add_metric((name,), sum(_size(path.with_name(path.name + end)) for end in _ENDINGS))
        yield family


#: The file itself, SQLite's journals, DuckDB's write-ahead log.
_ENDINGS = ("", "-journal", "-wal", ".wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

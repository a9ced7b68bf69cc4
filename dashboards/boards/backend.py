"""The Python backend: requests, databases, gRPC, the poller, the process."""

from __future__ import annotations

from ..model import Board, Panel, Query, Row, Variable

_HERE = 'job="backend",instance=~"$instance"'


def _rate(series: str, *by: str) -> str:
    labels = f"sum by ({', '.join(('instance', *by))})"
    return f"{labels} (rate({series}{{{_HERE}}}[$__rate_interval]))"


def _quantile(quantile: float, histogram: str, *by: str) -> str:
    return f"histogram_quantile({quantile:g}, {_rate(f'{histogram}_bucket', *by, 'le')})"


_FAILED = (
    "sum by (instance) (rate(http_server_request_duration_seconds_count"
    f'{{{_HERE},http_response_status_code=~"5.."}}[$__rate_interval]))'
)
_ANSWERED = _rate("http_server_request_duration_seconds_count")

BACKEND = Board(
    uid="cutover-backend",
    title="cutover: Python backend",
    about="The Python backend: HTTP, SQLite, DuckDB, gRPC, indexing of spans, process.",
    variables=(Variable("instance", "backend_build_info", "instance"),),
    rows=(
        Row(
            "HTTP",
            (
                Panel(
                    "Requests by route",
                    (Query(_rate("http_server_request_duration_seconds_count", "http_route"), "{{http_route}}"),),
                    "reqps",
                ),
                Panel(
                    "Answers 5xx",
                    (Query(f"({_FAILED} or 0 * {_ANSWERED}) / ({_ANSWERED} > 0)", "{{instance}}"),),
                    "percentunit",
                    "The migration's limit is 1 %.",
                    red_from=0.01,
                ),
                Panel(
                    "Duration",
                    tuple(
                        Query(_quantile(quantile, "http_server_request_duration_seconds"), f"{{{{instance}}}} {name}")
                        for quantile, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
                    ),
                    "s",
                    "The migration's limit for p95 is 500 ms.",
                    red_from=0.5,
                ),
                Panel(
                    "Requests in progress",
                    (Query(f"http_server_active_requests{{{_HERE}}}", "{{instance}}"),),
                    width=12,
                ),
                Panel(
                    "Active sessions",
                    (Query(f"backend_active_sessions{{{_HERE}}}", "{{instance}}"),),
                    about="Distinct users of the last 15 minutes.",
                    width=12,
                ),
            ),
        ),
        Row(
            "Databases",
            (
                Panel(
                    "SQLite, p99 by statement",
                    (Query(_quantile(0.99, "backend_sqlite_query_duration_seconds", "query"), "{{query}}"),),
                    "s",
                    "Time that callers waited, other processes' locks included.",
                ),
                Panel(
                    "SQLite connections", (Query(f"backend_sqlite_connections{{{_HERE}}}", "{{instance}} {{state}}"),)
                ),
                Panel(
                    "DuckDB, p99 by query",
                    (Query(_quantile(0.99, "backend_duckdb_query_duration_seconds", "query"), "{{query}}"),),
                    "s",
                ),
                Panel(
                    "File sizes",
                    (Query(f"backend_database_size_bytes{{{_HERE}}}", "{{instance}} {{database}}"),),
                    "bytes",
                    "Journal and write-ahead log included.",
                    width=12,
                ),
                Panel(
                    "Role at the DuckDB file",
                    (Query(f"backend_duckdb_role{{{_HERE}}} == 1", "{{instance}} {{role}}"),),
                    about="An owner holds the file; a follower reads a copy of its own while a peer holds it.",
                    kind="table",
                    width=12,
                ),
            ),
        ),
        Row(
            "Spans",
            (
                Panel(
                    "Indexed",
                    (
                        Query(_rate("backend_ingest_spans_total"), "{{instance}} read"),
                        Query(_rate("backend_ingest_indexed_total"), "{{instance}} new"),
                    ),
                    "ops",
                ),
                Panel(
                    "Lag",
                    (Query(f"backend_ingest_lag_seconds{{{_HERE}}}", "{{instance}}"),),
                    "s",
                    "How far the file is behind the ingestion service; absent while polls fail.",
                    red_from=60,
                ),
                Panel(
                    "Polls and failed polls",
                    (
                        Query(_rate("backend_ingest_polls_total"), "{{instance}} ended well"),
                        Query(_rate("backend_ingest_errors_total", "error"), "{{instance}} {{error}}"),
                    ),
                    "ops",
                ),
                Panel(
                    "Quarantined",
                    (Query(f"backend_ingest_quarantined_total{{{_HERE}}}", "{{instance}}"),),
                    about="Spans that can't be stored, since the start; they are kept and can be replayed.",
                    red_from=1,
                ),
                Panel(
                    "Time for a batch",
                    (
                        Query(_quantile(0.5, "backend_ingest_batch_duration_seconds"), "{{instance}} p50"),
                        Query(_quantile(0.99, "backend_ingest_batch_duration_seconds"), "{{instance}} p99"),
                    ),
                    "s",
                    "Decoding, rows and cursor, commit.",
                    width=16,
                ),
            ),
        ),
        Row(
            "gRPC",
            (
                Panel(
                    "Calls to us",
                    (
                        Query(
                            _rate("rpc_server_call_duration_seconds_count", "rpc_method", "rpc_response_status_code"),
                            "{{rpc_method}} {{rpc_response_status_code}}",
                        ),
                    ),
                    "reqps",
                    "The ingestion service asks whether an API key is good.",
                ),
                Panel(
                    "Calls by us",
                    (
                        Query(
                            _rate("rpc_client_call_duration_seconds_count", "rpc_method", "rpc_response_status_code"),
                            "{{rpc_method}} {{rpc_response_status_code}}",
                        ),
                    ),
                    "reqps",
                    "We read spans from the ingestion service.",
                ),
                Panel(
                    "p95",
                    (
                        Query(
                            _quantile(0.95, "rpc_server_call_duration_seconds", "rpc_method"), "to us: {{rpc_method}}"
                        ),
                        Query(
                            _quantile(0.95, "rpc_client_call_duration_seconds", "rpc_method"), "by us: {{rpc_method}}"
                        ),
                    ),
                    "s",
                ),
            ),
        ),
        Row(
            "Process",
            (
                Panel(
                    "CPU",
                    (Query(_rate("process_cpu_seconds_total"), "{{instance}}"),),
                    "percentunit",
                    "Of one core.",
                    width=6,
                ),
                Panel(
                    "Memory",
                    (Query(f"process_resident_memory_bytes{{{_HERE}}}", "{{instance}}"),),
                    "bytes",
                    "The first call of /llm/generate loads litellm: about 200 MB.",
                    width=6,
                ),
                Panel("Open files", (Query(f"process_open_fds{{{_HERE}}}", "{{instance}}"),), width=6),
                Panel(
                    "Running for",
                    (Query(f"time() - process_start_time_seconds{{{_HERE}}}", "{{instance}}"),),
                    "s",
                    width=6,
                ),
            ),
        ),
    ),
)

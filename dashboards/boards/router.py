"""The router itself: the split, the rollout, what reaches the arms, the clients, the processes."""

from __future__ import annotations

from ..model import Board, Panel, Query, Row, Variable

ROUTER = Board(
    uid="cutover-router",
    title="cutover: router",
    about="The canary router: weight, rollout, traffic, upstreams, clients, processes.",
    variables=(Variable("arm", "cutover_active_sessions", "arm"),),
    rows=(
        Row(
            "Split and rollout",
            (
                Panel(
                    "Weight",
                    (Query("cutover_weight_ratio", "intended"), Query("cutover_observed_ratio", "observed")),
                    "percentunit",
                    "Share of users meant for the canary, and its share of the last minute's requests.",
                ),
                Panel(
                    "Step",
                    (Query("cutover_step_info", "{{plan}}: {{step}}, {{phase}}"),),
                    about="The rollout's step and phase; empty when there has been no rollout.",
                    kind="table",
                    height=4,
                ),
                Panel(
                    "Rollbacks",
                    (Query("sum by (reason) (cutover_rollbacks_total)", "{{reason}}"),),
                    about="All there ever were, by the gate that decided or the operator.",
                    kind="stat",
                    height=4,
                    red_from=1,
                ),
                Panel(
                    "Time in the step",
                    (Query("cutover_step_elapsed_seconds", "elapsed"),),
                    "s",
                    "A step lasts at least as long as the plan says; the gates may hold it longer.",
                    bound=Query("cutover_step_hold_seconds", "planned"),
                ),
                Panel(
                    "Active sessions",
                    (Query('cutover_active_sessions{arm=~"$arm"}', "{{arm}}"),),
                    about="Distinct users of the last 15 minutes (an estimate, standard error 2.3 %).",
                ),
                Panel(
                    "Canary requests in the step",
                    (Query("cutover_step_samples", "samples"),),
                    about="What gates judge by.",
                ),
                Panel(
                    "Decision lag",
                    (Query("cutover_decision_lag_seconds", "lag"),),
                    "s",
                    "From reading the counters to every worker's having the new weight, for the latest decision.",
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                Panel(
                    "Requests by code",
                    (
                        Query(
                            'sum by (arm, code) (rate(cutover_requests_total{arm=~"$arm"}[$__rate_interval]))',
                            "{{arm}} {{code}}",
                        ),
                    ),
                    "reqps",
                ),
                Panel(
                    "Requests by what chose the arm",
                    (
                        Query(
                            'sum by (arm, assigned_by) (rate(cutover_requests_total{arm=~"$arm"}[$__rate_interval]))',
                            "{{arm}} {{assigned_by}}",
                        ),
                    ),
                    "reqps",
                    "identity: a known user; new: a user without a cookie; pin and override: by route or header; "
                    "fallback: stable answered for the canary.",
                ),
                Panel(
                    "Requests in progress", (Query('http_server_active_requests{job="router",arm=~"$arm"}', "{{arm}}"),)
                ),
            ),
        ),
        Row(
            "Upstreams",
            (
                Panel(
                    "Upstream errors",
                    (
                        Query(
                            'sum by (arm, kind) (rate(cutover_upstream_errors_total{arm=~"$arm"}[$__rate_interval]))',
                            "{{arm}} {{kind}}",
                        ),
                    ),
                    "reqps",
                    "Failures of an upstream to take a request or to answer it.",
                ),
                Panel(
                    "Retries and fallbacks",
                    (
                        Query(
                            'rate(cutover_retries_total{arm=~"$arm"}[$__rate_interval])',
                            "{{arm}} retries",
                        ),
                        Query("rate(cutover_fallbacks_total[$__rate_interval])", "fallbacks to stable"),
                    ),
                    "reqps",
                    "A fallback is a request that only stable saved: a canary that is down shows here first.",
                ),
                Panel(
                    "Endpoints",
                    (Query('cutover_endpoint_up{arm=~"$arm"}', "{{arm}} {{endpoint}}"),),
                    about="By the active health checks.",
                    kind="stat",
                    red_below=1,
                    values=((0, "down"), (1, "up")),
                ),
                Panel(
                    "Connections to endpoints",
                    (Query('cutover_pool_connections{arm=~"$arm"}', "{{arm}} {{state}}"),),
                ),
                Panel(
                    "Waiting for a connection",
                    (Query('cutover_pool_queued{arm=~"$arm"}', "{{arm}}"),),
                    about="More than a few: a slow backend, or limits.pool is too small.",
                ),
                Panel(
                    "Ejected",
                    (Query('cutover_endpoint_ejected{arm=~"$arm"}', "{{arm}} {{endpoint}}"),),
                    about="Workers that leave an endpoint alone for a moment because it refused them.",
                    red_from=1,
                ),
            ),
        ),
        Row(
            "Clients",
            (
                Panel(
                    "Connections",
                    (Query("cutover_client_connections", "open"), Query("cutover_tunnels", "upgraded")),
                    about="Upgraded ones are tunnels, as of WebSocket.",
                ),
                Panel(
                    "Connections opened",
                    (
                        Query("rate(cutover_client_connections_opened_total[$__rate_interval])", "opened"),
                        Query("rate(cutover_upgrades_total[$__rate_interval])", "upgraded"),
                    ),
                    "ops",
                ),
                Panel(
                    "Client errors",
                    (
                        Query(
                            "sum by (reason) (rate(cutover_client_errors_total[$__rate_interval]))",
                            "{{reason}}",
                        ),
                    ),
                    "ops",
                    "Requests or connections that ended on the client's side.",
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "CPU",
                    (Query('rate(process_cpu_seconds_total{job="router"}[$__rate_interval])', "{{process}}"),),
                    "percentunit",
                    "Of one core.",
                    width=6,
                ),
                Panel(
                    "Memory",
                    (Query('process_resident_memory_bytes{job="router"}', "{{process}}"),),
                    "bytes",
                    width=6,
                ),
                Panel("Open files", (Query('process_open_fds{job="router"}', "{{process}}"),), width=6),
                Panel(
                    "Running for",
                    (Query('time() - process_start_time_seconds{job="router"}', "{{process}}"),),
                    "s",
                    "A worker that restarts shows here.",
                    width=6,
                ),
                Panel(
                    "Version",
                    (Query("cutover_build_info", "{{version}}"),),
                    kind="table",
                    width=24,
                    height=4,
                ),
            ),
        ),
    ),
)

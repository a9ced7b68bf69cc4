"""Both arms side by side, as the router saw them, with the bounds that the rollout's gates hold the canary to."""

from __future__ import annotations

from ..model import Board, Panel, Query, Row, Variable

_DURATION = 'http_server_request_duration_seconds_bucket{job="router",arm=~"stable|canary",route=~"$route"}'
_ANSWERS = 'http_server_request_duration_seconds_count{job="router",arm=~"stable|canary",route=~"$route"}'
_FAILED = _ANSWERS.replace("}", ',code=~"5.."}')
_REFUSED = _ANSWERS.replace("}", ',code=~"4.."}')


def _quantile(quantile: float) -> str:
    return f"histogram_quantile({quantile:g}, sum by (arm, le) (rate({_DURATION}[$__rate_interval])))"


def _p95_of(arm: str) -> str:
    one = _DURATION.replace('arm=~"stable|canary"', f'arm="{arm}"')
    return f"histogram_quantile(0.95, sum by (le) (rate({one}[$__rate_interval])))"


def _share(of: str) -> str:
    """Of an arm's answers; 0 while there are answers and none of these."""
    answers = f"sum by (arm) (rate({_ANSWERS}[$__rate_interval]))"
    return f"(sum by (arm) (rate({of}[$__rate_interval])) or 0 * {answers}) / ({answers} > 0)"


def _latency(title: str, quantile: float, bound: Query | None = None) -> Panel:
    return Panel(title, (Query(_quantile(quantile), "{{arm}}"),), "s", bound=bound)


COMPARISON = Board(
    uid="cutover-comparison",
    title="cutover: stable and canary",
    about="Rates, errors and durations of both arms as clients see them, and the gates of the rollout.",
    variables=(Variable("route", 'http_server_request_duration_seconds_count{job="router"}', "route"),),
    rows=(
        Row(
            "Side by side",
            (
                Panel(
                    "Requests",
                    (Query(f"sum by (arm) (rate({_ANSWERS}[$__rate_interval]))", "{{arm}}"),),
                    "reqps",
                ),
                Panel(
                    "Answers 5xx",
                    (Query(_share(_FAILED), "{{arm}}"),),
                    "percentunit",
                    "Share of each arm's answers. Dashed: the bound of the rollout's gate, which also counts truncated "
                    "answers and those that stable gave in the canary's place.",
                    bound=Query('max(cutover_gate_bound{gate="errors"})', "bound of gate errors"),
                ),
                Panel(
                    "Answers 4xx",
                    (Query(_share(_REFUSED), "{{arm}}"),),
                    "percentunit",
                    "What an incompatibility looks like: the canary refuses what stable takes.",
                ),
                _latency("Duration, p50", 0.5),
                _latency(
                    "Duration, p95", 0.95, Query('max(cutover_gate_bound{gate="latency"})', "bound of gate latency")
                ),
                _latency("Duration, p99", 0.99),
            ),
        ),
        Row(
            "Canary against stable",
            (
                Panel(
                    "p95, canary ÷ stable",
                    (
                        Query(
                            f"{_p95_of('canary')} / {_p95_of('stable')}",
                            "ratio",
                        ),
                    ),
                    "none",
                    "1: as fast as stable. The default plan lets the canary be 1.25 times as slow.",
                    red_from=1.25,
                ),
                Panel(
                    "Requests by route",
                    (Query(f"sum by (arm, route) (rate({_ANSWERS}[$__rate_interval]))", "{{arm}} {{route}}"),),
                    "reqps",
                    "Routes are the configured ones; all others are _OTHER.",
                ),
                Panel(
                    "p95 by route",
                    (
                        Query(
                            f"histogram_quantile(0.95, sum by (arm, route, le) (rate({_DURATION}[$__rate_interval])))",
                            "{{arm}} {{route}}",
                        ),
                    ),
                    "s",
                ),
            ),
        ),
        Row(
            "Gates",
            (
                Panel(
                    "Verdicts",
                    (Query("cutover_gate_state", "{{gate}}"),),
                    about="Of the running rollout, or of the last one.",
                    kind="stat",
                    width=24,
                    height=5,
                    red_from=2,
                    values=((0, "hold"), (1, "pass"), (2, "fail")),
                ),
                Panel(
                    "Values",
                    (Query("cutover_gate_value", "{{gate}}"),),
                    about="What each gate measures on the canary: a share, or seconds for latency.",
                    width=12,
                ),
                Panel(
                    "Used of the bound",
                    (Query('cutover_gate_value{gate!~"health|connect"} / (cutover_gate_bound > 0)', "{{gate}}"),),
                    "percentunit",
                    "Value ÷ bound; health is left out, as it has to reach its bound and not to stay below.",
                    width=12,
                    red_from=1,
                ),
            ),
        ),
    ),
)

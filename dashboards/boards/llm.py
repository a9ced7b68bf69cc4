"""The playground's calls to LLM providers: rate, errors, durations, tokens, cost."""

from __future__ import annotations

from ..model import Board, Panel, Query, Row, Variable

_HERE = '{job="backend",gen_ai_provider_name=~"$provider"}'
_PROVIDER = "gen_ai_provider_name"
_MODEL = "gen_ai_request_model"


def _rate(series: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) (rate({series}{_HERE}[$__rate_interval]))"


def _quantile(quantile: float, histogram: str, *by: str) -> str:
    return f"histogram_quantile({quantile:g}, {_rate(f'{histogram}_bucket', *by, 'le')})"


_FAILED = (
    f"sum by ({_PROVIDER}) (rate(gen_ai_client_operation_duration_seconds_count"
    f'{_HERE.replace("}", ",")}error_type!~"|client_gone"}}[$__rate_interval]))'
)
_CALLS = _rate("gen_ai_client_operation_duration_seconds_count", _PROVIDER)

LLM = Board(
    uid="cutover-llm",
    title="cutover: LLM calls",
    about="Calls of the playground to LLM providers; empty until the first call.",
    variables=(Variable("provider", "gen_ai_client_operation_duration_seconds_count", _PROVIDER),),
    rows=(
        Row(
            "Calls",
            (
                Panel(
                    "Calls by model",
                    (
                        Query(
                            _rate("gen_ai_client_operation_duration_seconds_count", _PROVIDER, _MODEL),
                            f"{{{{{_PROVIDER}}}}} {{{{{_MODEL}}}}}",
                        ),
                    ),
                    "reqps",
                    "A model that nobody knows is _OTHER.",
                ),
                Panel(
                    "Failed",
                    (Query(f"({_FAILED} or 0 * {_CALLS}) / ({_CALLS} > 0)", f"{{{{{_PROVIDER}}}}}"),),
                    "percentunit",
                    "Share of the calls; a client that left before the answer is no failure.",
                    red_from=0.05,
                ),
                Panel(
                    "By outcome",
                    (
                        Query(
                            _rate("gen_ai_client_operation_duration_seconds_count", _PROVIDER, "error_type"),
                            f"{{{{{_PROVIDER}}}}} {{{{error_type}}}}",
                        ),
                    ),
                    "reqps",
                    "The status of the provider, timeout, connection, answer, client_gone; none: it succeeded.",
                ),
                Panel(
                    "Duration",
                    tuple(
                        Query(
                            _quantile(quantile, "gen_ai_client_operation_duration_seconds", _PROVIDER),
                            f"{{{{{_PROVIDER}}}}} {name}",
                        )
                        for quantile, name in ((0.5, "p50"), (0.95, "p95"))
                    ),
                    "s",
                    width=12,
                ),
                Panel(
                    "Time to the first piece of a stream",
                    (
                        Query(
                            _quantile(0.95, "gen_ai_client_operation_time_to_first_chunk_seconds", _PROVIDER),
                            f"{{{{{_PROVIDER}}}}} p95",
                        ),
                    ),
                    "s",
                    width=12,
                ),
            ),
        ),
        Row(
            "Tokens and cost",
            (
                Panel(
                    "Tokens",
                    (
                        Query(
                            _rate("gen_ai_client_token_usage_sum", _PROVIDER, "gen_ai_token_type"),
                            f"{{{{{_PROVIDER}}}}} {{{{gen_ai_token_type}}}}",
                        ),
                    ),
                    "ops",
                    "Tokens a second, input and output.",
                ),
                Panel(
                    "Cost an hour",
                    (
                        Query(
                            f"3600 * {_rate('backend_llm_cost_usd_total', _PROVIDER, _MODEL)}",
                            f"{{{{{_PROVIDER}}}}} {{{{{_MODEL}}}}}",
                        ),
                    ),
                    "currencyUSD",
                    "Of calls through /llm/generate, by litellm's price table.",
                ),
                Panel(
                    "Model lists by source",
                    (
                        Query(
                            _rate("backend_llm_model_lists_total", _PROVIDER, "source"),
                            f"{{{{{_PROVIDER}}}}} {{{{source}}}}",
                        ),
                    ),
                    "ops",
                    "built_in: the provider could not be asked.",
                ),
            ),
        ),
    ),
)

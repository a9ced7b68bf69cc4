"""The playground's series: what is counted when, and that nobody can make them many."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from backend.llm.errors import ProviderError
from backend.llm.metrics import MODELS, OTHER, LlmMetrics
from backend.web.body import DisconnectedError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def labels(model: str, **more: str) -> dict[str, str]:
    called = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "gcp.gemini", "gen_ai_request_model": model}
    return called | more


def test_a_streamed_call() -> None:
    registry, clock = CollectorRegistry(), Clock()
    metrics = LlmMetrics(registry, clock)
    with metrics.operation("gemini", "gcp.gemini", "gemini-x") as call:
        clock.now = 1.0
        call.chunk()
        clock.now = 3.0
        call.chunk()
        call.tokens, call.cost = (7, 3), 0.25
    value = registry.get_sample_value
    call_labels = labels("gemini-x")
    assert value("gen_ai_client_operation_duration_seconds_sum", labels("gemini-x", error_type="")) == 3.0
    assert value("gen_ai_client_operation_time_to_first_chunk_seconds_sum", call_labels) == 1.0
    assert value("gen_ai_client_token_usage_sum", labels("gemini-x", gen_ai_token_type="input")) == 7
    assert value("gen_ai_client_token_usage_sum", labels("gemini-x", gen_ai_token_type="output")) == 3
    assert value("backend_llm_cost_usd_total", call_labels) == 0.25


@pytest.mark.parametrize(
    ("error", "label"),
    [
        (ProviderError("x", "429"), "429"),
        (DisconnectedError("x"), "disconnected"),
        (asyncio.CancelledError(), "client_gone"),
        (GeneratorExit(), "client_gone"),
        (ZeroDivisionError(), "internal"),
    ],
)
def test_errors(error: BaseException, label: str) -> None:
    registry = CollectorRegistry()
    metrics = LlmMetrics(registry)
    with pytest.raises(type(error)), metrics.operation("gemini", "gcp.gemini", "made up"):
        raise error
    name = "gen_ai_client_operation_duration_seconds_count"
    assert registry.get_sample_value(name, labels(OTHER, error_type=label)) == 1


def test_models_are_bounded() -> None:
    registry = CollectorRegistry()
    metrics = LlmMetrics(registry)
    for number in range(MODELS + 50):
        with metrics.operation("openai", "openai", f"model-{number}") as call:
            call.tokens = (1, 1)
        with metrics.operation("openai", "openai", f"made-up-{number}"):
            pass
    text = generate_latest(registry).decode()
    assert text.count("gen_ai_client_operation_duration_seconds_count{") == MODELS + 1
    assert "made-up" not in text

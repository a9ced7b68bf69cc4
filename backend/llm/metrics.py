"""Every series of the playground, named once: OpenTelemetry's for generative AI where they exist, else ours.

Dots of OpenTelemetry's names are underscores here and units stand at the end, as its rules for Prometheus say.
Labels are bounded: models that somebody made up are counted as ``_OTHER``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Histogram

from ..errors import BackendError

#: Distinct models that get a series of their own; the providers' lists hold some dozens each.
MODELS = 300
OTHER = "_OTHER"

# Boundaries that the semantic conventions advise.
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

_CALL = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class Operation:
    """One call that is under way; see `LlmMetrics.operation`."""

    __slots__ = ("_began", "_clock", "cost", "first_chunk", "tokens")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        #: Tokens in and out, once the provider said so.
        self.tokens: tuple[int, int] | None = None
        #: US dollars, if the price is known.
        self.cost: float | None = None
        self.first_chunk: float | None = None

    def chunk(self) -> None:
        """A piece of a stream has come."""
        if self.first_chunk is None:
            self.first_chunk = self.took()

    def took(self) -> float:
        return self._clock() - self._began


class LlmMetrics:
    """The series, registered in `registry`. `clock` gives seconds that never run backwards."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: set[tuple[str, str]] = set()
        self._duration = Histogram(
            "gen_ai_client_operation_duration_seconds",
            "Duration of calls to LLM providers; error_type is empty for those that succeeded.",
            (*_CALL, "error_type"),
            registry=registry,
            buckets=_SECONDS,
        )
        self._first_chunk = Histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Time until the first piece of a streamed answer.",
            _CALL,
            registry=registry,
            buckets=_SECONDS,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of calls to LLM providers, by input and output.",
            (*_CALL, "gen_ai_token_type"),
            registry=registry,
            buckets=_TOKENS,
        )
        self._cost = Counter(
            "backend_llm_cost_usd",
            "Cost in US dollars of calls through /llm/generate, by litellm's price table.",
            _CALL,
            registry=registry,
        )
        self._lists = Counter(
            "backend_llm_model_lists",
            "Model lists served, by where they came from.",
            ("gen_ai_provider_name", "source"),
            registry=registry,
        )

    def know(self, provider: str, models: Iterable[str]) -> None:
        """Let these models have series of their own, as long as there is room."""
        for model in models:
            if len(self._known) < MODELS:
                self._known.add((provider, model))

    def listed(self, otel: str, source: str) -> None:
        """A list of models was served out of `source`: cache, provider or built_in."""
        self._lists.labels(otel, source).inc()

    @contextmanager
    def operation(self, provider: str, otel: str, model: str) -> Iterator[Operation]:
        """Count a call of `model` when it ends, with the label of the error that it ends with."""
        running = Operation(self._clock)
        error = ""
        try:
            yield running
        except BackendError as found:
            error = found.label
            raise
        except (asyncio.CancelledError, GeneratorExit):
            error = "client_gone"
            raise
        except BaseException:
            error = "internal"
            raise
        finally:
            if running.tokens is not None:
                self.know(provider, [model])  # it exists: the provider counted its tokens
            labels = ("chat", otel, model if (provider, model) in self._known else OTHER)
            self._count(running, labels, error)

    def _count(self, call: Operation, labels: tuple[str, str, str], error: str) -> None:
        self._duration.labels(*labels, error).observe(call.took())
        if call.first_chunk is not None:
            self._first_chunk.labels(*labels).observe(call.first_chunk)
        if call.tokens is not None:
            for kind, tokens in zip(("input", "output"), call.tokens, strict=True):
                self._tokens.labels(*labels, kind).observe(tokens)
        if call.cost is not None:
            self._cost.labels(*labels).inc(call.cost)

"""Which models a provider has: what was fetched in the last minutes, else its own list, else the built-in one.

The built-in list (models.json) is the Go backend's. Callers that ask at once share one fetch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

import orjson
from loguru import logger

from ..web.gojson import JsonError, decode
from .errors import ProviderError
from .keys import Keys
from .metrics import LlmMetrics
from .native.provider import Model, Provider
from .upstream import Upstream

#: Seconds that a fetched list is good for.
FRESH = 15 * 60.0
#: Seconds that a provider gets to list its models.
PATIENCE = 10.0


class Models:
    """`clock` gives seconds that never run backwards."""

    def __init__(
        self,
        upstream: Upstream,
        keys: Keys,
        metrics: LlmMetrics,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._upstream = upstream
        self._keys = keys
        self._metrics = metrics
        self._clock = clock
        self._fetched: dict[str, tuple[float, list[Model]]] = {}
        self._flights: dict[str, asyncio.Task[list[Model]]] = {}
        listed = orjson.loads(Path(__file__).with_name("models.json").read_bytes())
        self._built_in: dict[str, list[Model]] = {
            name: [model | {"provider": name} for model in models] for name, models in listed.items()
        }
        for name, models in self._built_in.items():
            metrics.know(name, (model["id"] for model in models))

    def built_in(self, names: Iterable[str]) -> list[Model]:
        """The built-in models of several providers, in their order."""
        return [model for name in names for model in self._built_in[name]]

    async def of(self, provider: Provider) -> list[Model]:
        """Never fails: without a provider's answer (or with an empty one) the built-in list serves."""
        at, models = self._fetched.get(provider.name, (-FRESH, []))
        if provider.name in self._fetched and self._clock() - at <= FRESH:
            return self._found(provider, "cache", models)
        try:
            models = await self._fetch(provider)
        except ProviderError as error:
            logger.warning("the models of {} are the built-in ones: {}", provider.title, error)
            models = []
        if models:
            return self._found(provider, "provider", models)
        return self._found(provider, "built_in", self._built_in[provider.name])

    async def refresh(self, provider: Provider) -> list[Model]:
        """The provider's list as it is now, kept from now on even if it is empty.

        Raises:
            ProviderError
        """
        models = await self._fetch(provider)
        self._fetched[provider.name] = (self._clock(), models)
        return self._found(provider, "provider", models)

    def _found(self, provider: Provider, source: str, models: list[Model]) -> list[Model]:
        self._metrics.listed(provider.otel, source)
        return models

    async def _fetch(self, provider: Provider) -> list[Model]:
        flight = self._flights.get(provider.name)
        if flight is None:
            flight = self._flights[provider.name] = asyncio.create_task(self._ask(provider))
            flight.add_done_callback(lambda done: self._landed(provider, done))
        # A caller that leaves must not take the list away from the others.
        return await asyncio.shield(flight)

    def _landed(self, provider: Provider, flight: asyncio.Task[list[Model]]) -> None:
        del self._flights[provider.name]
        if not flight.cancelled() and flight.exception() is None and (models := flight.result()):
            self._fetched[provider.name] = (self._clock(), models)
            self._metrics.know(provider.name, (model["id"] for model in models))

    async def _ask(self, provider: Provider) -> list[Model]:
        key = self._keys.key(provider)
        if key is None:
            raise ProviderError(f"{provider.variable} environment variable not set", "key")
        failed = f"failed to fetch {provider.title} models"
        try:
            async with asyncio.timeout(PATIENCE):
                reply = await self._upstream.send(provider.list_call(self._keys.base(provider), key))
        except TimeoutError:
            raise ProviderError(f"{failed}: no answer within {PATIENCE:g} s", "timeout") from None
        except ProviderError as error:
            raise ProviderError(self._keys.scrubbed(f"{failed}: {error}"), error.label) from None
        if reply.status != 200:
            text = self._keys.scrubbed(f"{provider.name} API error ({reply.status}): {reply.text}")
            raise ProviderError(text, str(reply.status))
        try:
            return provider.models(decode(reply.body, provider.listing))
        except JsonError as error:
            raise ProviderError(f"failed to parse {provider.title} models response: {error}", "answer") from None

"""What the playground can do, apart from HTTP: ask a provider in its own words, or any of them in OpenAI's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prometheus_client import CollectorRegistry

from ..config import Settings
from ..errors import HandlerError
from ..web.bind import BindError, bind
from ..web.gojson import JsonError, unmarshal
from .errors import ProviderError
from .gateway import Gateway
from .keys import Keys
from .metrics import LlmMetrics
from .models import Models
from .native.anthropic import ANTHROPIC
from .native.gemini import GEMINI
from .native.openai import OPENAI
from .native.provider import Fields, Provider
from .upstream import Upstream

#: In the order in which model lists name them.
PROVIDERS = {provider.name: provider for provider in (OPENAI, ANTHROPIC, GEMINI)}


class Playground:
    """Open as long as the backend runs: see `playground`."""

    def __init__(self, keys: Keys, upstream: Upstream, metrics: LlmMetrics, gateway: Gateway) -> None:
        self._keys = keys
        self._upstream = upstream
        self._metrics = metrics
        self.models = Models(upstream, keys, metrics)
        self.gateway = gateway

    async def generate(self, provider: Provider, content_type: str, body: bytes) -> Fields:
        """The provider's answer to a request in its own words, as the Go backend passes it on.

        Raises:
            HandlerError: the request is wrong, or the provider has no key.
            ProviderError: it refused or failed; 503 if it refused the key, 504 if it kept silent, else 500.
        """
        try:
            request = bind(content_type, body, provider.request)
        except BindError as error:
            raise HandlerError(400, str(error), error.label) from None
        for field, missing in provider.required:
            if not request[field]:
                raise HandlerError(400, missing, "validation")
        if (key := self._keys.key(provider)) is None:
            raise HandlerError(503, f"{provider.variable} environment variable is not set", "key")
        with self._metrics.operation(provider.name, provider.otel, request["model"]) as call:
            fields = await self._ask(provider, request, key)
            call.tokens = provider.usage(fields)
            return provider.answer(fields)

    async def _ask(self, provider: Provider, request: Fields, key: str) -> Fields:
        try:
            reply = await self._upstream.send(provider.call(request, self._keys.base(provider), key))
        except ProviderError as error:
            raise ProviderError(self._keys.scrubbed(str(error)), error.label, error.status) from None
        if reply.status != 200:
            refused = provider.refused is not None and provider.refused in reply.text
            text = self._keys.scrubbed(reply.text)
            raise ProviderError(text, str(reply.status), 503 if refused else 500)
        try:
            fields: Fields = unmarshal(reply.body, provider.response)
        except JsonError as error:
            raise ProviderError(str(error), "answer") from None
        return fields


@asynccontextmanager
async def playground(settings: Settings, registry: CollectorRegistry) -> AsyncIterator[Playground]:
    """The playground by these settings, its series in `registry`. Nothing is connected or loaded before it is used."""
    silence = settings.llm_silence
    keys, metrics = Keys(settings), LlmMetrics(registry)
    tls = httpx.create_ssl_context()  # takes 20 ms, so all clients share it
    gateway = Gateway(keys, PROVIDERS, metrics, tls, silence)
    async with Upstream(tls, silence) as upstream:
        try:
            yield Playground(keys, upstream, metrics, gateway)
        finally:
            await gateway.aclose()

"""All providers in OpenAI's shape, through litellm: the only code that knows it.

Importing litellm takes 5 seconds and 190 MB, so it happens in a thread at the first call. It would read .env files,
fetch its price table and log on its own; all of that is off. Its timeouts don't cover every provider's streams and it
may retry, so ours are the ones that count and it is told not to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import httpx

from ..errors import BackendError
from .chat import Chat, chunk, completion, last_chunk
from .errors import ProviderError
from .keys import Keys
from .metrics import LlmMetrics, Operation
from .native.provider import Fields, Provider
from .refusals import translated
from .target import Target, target
from .wire import Wire, wrapped

#: Read by litellm while it is imported: no .env files, nothing fetched from the network.
_ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_LOG": "ERROR",
}
_REHEARSED = {
    "id": "",
    "object": "chat.completion",
    "created": 0,
    "model": "",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
}
_LOGGERS = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router")


class Gateway:
    """`silence` is how many seconds a provider may send nothing; `native` are the providers whose keys are settings."""

    def __init__(
        self, keys: Keys, native: Mapping[str, Provider], metrics: LlmMetrics, tls: ssl.SSLContext, silence: float
    ) -> None:
        self._keys = keys
        self._native = native
        self._metrics = metrics
        self._silence = silence
        self._wire = Wire(keys, tls, silence)
        self._loading: asyncio.Task[Any] | None = None

    async def aclose(self) -> None:
        """Close the connections that are kept to providers."""
        await self._wire.aclose()
        if self._loading is not None and self._loading.done() and self._loading.exception() is None:
            await self._loading.result().close_litellm_async_clients()

    async def complete(self, chat: Chat) -> Fields:
        """The whole answer.

        Raises:
            ProviderError
        """
        litellm, to, arguments = await self._prepared(chat)
        with self._metrics.operation(to.provider, self._otel(to), to.model) as call:
            response = await self._patiently(litellm.acompletion(**arguments))
            cost = getattr(response, "_hidden_params", {}).get("response_cost")
            fields = completion(response.model_dump(), cost)
            _count(call, fields)
            return fields

    async def stream(self, chat: Chat) -> AsyncGenerator[Fields, None]:
        """The pieces of an answer as they come, usage in the last. Closing it closes the connection to the provider.

        Raises:
            ProviderError: also after pieces have come.
        """
        litellm, to, arguments = await self._prepared(chat)
        with self._metrics.operation(to.provider, self._otel(to), to.model) as call:
            options = {"stream": True, "stream_options": {"include_usage": True}}
            pieces = await self._patiently(litellm.acompletion(**arguments, **options))
            first: Fields | None = None
            try:
                while (piece := await self._patiently(anext(pieces, None))) is not None:
                    call.chunk()
                    fields = piece.model_dump()
                    if fields.get("usage"):
                        fields = last_chunk(fields, first, fields["usage"].get("cost"))
                        _count(call, fields)
                    else:
                        fields = chunk(fields, first)
                    first = first or fields
                    yield fields
            finally:
                await pieces.aclose()

    async def _patiently(self, work: Any) -> Any:
        """The result of `work`, unless nothing comes for too long."""
        try:
            async with asyncio.timeout(self._silence):
                return await work
        except TimeoutError:
            raise ProviderError(f"the provider sent nothing for {self._silence:g} s", "timeout", 504) from None
        except BackendError:
            raise
        except Exception as error:
            found = translated(error)
            text = self._keys.scrubbed(str(found))
            raise ProviderError(text, found.label, found.status, found.retry_after) from None

    async def _prepared(self, chat: Chat) -> tuple[Any, Target, Fields]:
        """litellm, where the request goes, and what it is called with."""
        litellm = await self._litellm()
        known = {str(getattr(each, "value", each)) for each in litellm.provider_list}
        to = target(chat.model, chat.provider, known, lambda model: _guess(litellm, model))
        if to is None or not to.model:
            asked = (
                f"provider {chat.provider!r} isn't known" if chat.provider else f"nobody is known for {chat.model!r}"
            )
            raise ProviderError(f"{asked}; name the provider, or write the model as provider/model", "model", 400)
        # Ours runs out first, and says so in its own words.
        arguments = {"model": f"{to.provider}/{to.model}", "timeout": self._silence + 5, "max_retries": 0}
        return litellm, to, arguments | self._access(litellm, to, chat.stream) | chat.parameters()

    def _access(self, litellm: Any, to: Target, stream: bool) -> Fields:
        """Key and address of a native provider; those of others are litellm's own variables, which must be set."""
        if (provider := self._native.get(to.provider)) is not None:
            if (key := self._keys.key(provider)) is None:
                raise ProviderError(f"{provider.variable} environment variable is not set", "key", 503)
            return self._wire.access(litellm, provider, key, stream)
        found = litellm.validate_environment(f"{to.provider}/{to.model}")
        if not found["keys_in_environment"]:
            missing = ", ".join(found["missing_keys"]) or f"the access to {to.provider}"
            raise ProviderError(f"{missing} isn't set in the backend's environment", "key", 503)
        return {}

    def _otel(self, to: Target) -> str:
        """gen_ai.provider.name"""
        native = self._native.get(to.provider)
        return native.otel if native is not None else to.provider

    async def _litellm(self) -> Any:
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_load, tuple(self._native.values())))
        return await asyncio.shield(self._loading)


def _load(native: Sequence[Provider]) -> Any:
    """litellm, imported and quiet, with all that it loads late loaded."""
    os.environ.update(_ENVIRONMENT)
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    litellm.disable_aiohttp_transport = True  # httpx cancels and times out as the rest of us does
    for name in _LOGGERS:
        # It logs whole requests and tracebacks; whoever calls it here logs each error once, without keys.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.CRITICAL + 1)
    asyncio.run(_rehearse(litellm, native))
    return litellm


async def _rehearse(litellm: Any, native: Sequence[Provider]) -> None:
    """One call of each kind to nowhere: litellm loads half a second's worth of modules at its first, and it is better
    that this thread's loop stands still meanwhile than the backend's."""
    nowhere = httpx.MockTransport(lambda request: httpx.Response(200, json=_REHEARSED))
    for provider in native:
        async with httpx.AsyncClient(transport=nowhere) as client:
            base = "http://rehearsal.invalid"
            reached = {"api_key": "none", "api_base": base, "client": wrapped(litellm, provider, client, "none", base)}
            for stream in (False, True):
                messages = [{"role": "user", "content": ""}]
                model = f"{provider.name}/rehearsal"
                call = litellm.acompletion(model=model, messages=messages, stream=stream, max_retries=0, **reached)
                # Only OpenAI answers so; what the others make of it is of no interest.
                await asyncio.gather(call, return_exceptions=True)


def _guess(litellm: Any, model: str) -> str | None:
    try:
        return str(litellm.get_llm_provider(model)[1])
    except Exception:  # its own BadRequestError, which is only there once litellm is
        return None


def _count(call: Operation, fields: Fields) -> None:
    used = fields["usage"]
    call.tokens = (used["prompt_tokens"], used["completion_tokens"])
    call.cost = used["cost"]

"""The clients that litellm speaks to the native providers through: ours, so that time limits hold, streams are guarded,
and nothing outlives the backend. litellm itself is passed in, so that this module costs nothing to import.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from .guard import Ends, OneTry, guarding
from .keys import Keys
from .native.provider import Fields, Provider
from .upstream import CONNECT, CONNECTIONS

#: What litellm wants after a provider's base address.
_PATHS = {"gemini": "/v1beta"}


def _openai_ends(event: Any) -> bool:
    return False  # with [DONE] alone


def _anthropic_ends(event: Any) -> bool:
    return bool(event.get("type") == "message_stop")


def _gemini_ends(event: Any) -> bool:
    """It has no closing event; the last one says why it is the last."""
    blocked = event.get("promptFeedback", {}).get("blockReason")
    return bool(blocked) or any(each.get("finishReason") for each in event.get("candidates", ()))


_ENDS: dict[str, Ends] = {"openai": _openai_ends, "anthropic": _anthropic_ends, "gemini": _gemini_ends}


class Wire:
    """Made as they are needed, one for each provider and for streams; `silence` as in `Upstream`."""

    def __init__(self, keys: Keys, tls: ssl.SSLContext, silence: float) -> None:
        self._keys = keys
        self._tls = tls
        self._silence = silence
        self._clients: dict[tuple[str, bool], tuple[httpx.AsyncClient, Any]] = {}

    async def aclose(self) -> None:
        for client, _ in self._clients.values():
            await client.aclose()

    def access(self, litellm: Any, provider: Provider, key: str, stream: bool) -> Fields:
        """litellm's arguments that lead to a provider."""
        base = self._keys.base(provider) + _PATHS.get(provider.name, "")
        found = self._clients.get((provider.name, stream))
        if found is None:
            client = self._client(provider, stream)
            found = self._clients[provider.name, stream] = client, wrapped(litellm, provider, client, key, base)
        return {"api_key": key, "api_base": base, "client": found[1]}

    def _client(self, provider: Provider, stream: bool) -> httpx.AsyncClient:
        client = OneTry(
            verify=self._tls,
            timeout=httpx.Timeout(self._silence, connect=CONNECT, pool=CONNECT),
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
        )
        if stream:
            client.event_hooks = {"response": [guarding(_ENDS[provider.name])]}
            client.headers["accept-encoding"] = "identity"  # the guard reads what comes, unpacked
        return client


def wrapped(litellm: Any, provider: Provider, client: httpx.AsyncClient, key: str, base: str) -> Any:
    """`client` as litellm takes one for this provider."""
    if provider.name == "openai":
        from openai import AsyncOpenAI

        return AsyncOpenAI(api_key=key, base_url=base, http_client=client, max_retries=0)
    handler = litellm.AsyncHTTPHandler()
    handler.client = client
    return handler

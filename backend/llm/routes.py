"""The playground's endpoints: the three native ones and the model lists as the Go backend has them, /llm/generate ours.

Whoever leaves before the answer is there takes the call to the provider along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from loguru import logger
from starlette.requests import Request
from starlette.routing import Route

from ..errors import HandlerError
from ..web import answer
from ..web.answer import Answer
from . import chat
from .departure import while_present
from .errors import ProviderError
from .native.provider import Provider
from .playground import PROVIDERS, Playground
from .stream import EventStream


def routes(playground: Playground) -> list[Route]:
    handlers = _Handlers(playground)
    native = [
        Route(f"/llm/{provider.name}/generate", handlers.native(provider), methods=["POST"])
        for provider in PROVIDERS.values()
    ]
    return [
        *native,
        Route("/llm/generate", handlers.generate, methods=["POST"]),
        # What OpenAI's client libraries add to a base address.
        Route("/llm/chat/completions", handlers.generate, methods=["POST"]),
        Route("/llm/models", handlers.all_models),
        Route("/llm/providers/{provider}/models", handlers.models),
        Route("/llm/providers/{provider}/models/refresh", handlers.refresh, methods=["POST"]),
    ]


class _Handlers:
    def __init__(self, playground: Playground) -> None:
        self._playground = playground

    def native(self, provider: Provider) -> Callable[[Request], Awaitable[Answer]]:
        async def generate(request: Request) -> Answer:
            body = await request.body()
            work = self._playground.generate(provider, request.headers.get("content-type", ""), body)
            return answer.json(await while_present(request.receive, work))

        return generate

    async def generate(self, request: Request) -> Answer | EventStream:
        try:
            asked = chat.read(await request.body())
        except ValueError as error:
            return answer.json(chat.error(str(error), 400, "invalid_request_error"), 400)
        try:
            if not asked.stream:
                work = self._playground.gateway.complete(asked)
                return answer.json(await while_present(request.receive, work))
            pieces = self._playground.gateway.stream(asked)
            first = await while_present(request.receive, anext(pieces))
            return EventStream(first, pieces)
        except ProviderError as error:
            return _refusal(error)

    async def all_models(self, request: Request) -> Answer:
        return answer.json({"models": self._playground.models.built_in(PROVIDERS)})

    async def models(self, request: Request) -> Answer:
        return answer.json({"models": await self._playground.models.of(_provider(request))})

    async def refresh(self, request: Request) -> Answer:
        try:
            models = await self._playground.models.refresh(_provider(request))
        except ProviderError as error:
            raise HandlerError(500, f"Failed to refresh models: {error}", error.label) from None
        return answer.json({"models": models})


def _provider(request: Request) -> Provider:
    name = request.path_params["provider"]
    if name not in PROVIDERS:
        raise HandlerError(400, f"invalid provider: {name}", "provider")
    return PROVIDERS[name]


def _refusal(error: ProviderError) -> Answer:
    if error.status >= 500:
        logger.warning("POST /llm/generate: {}", error)
    whole = answer.error(error)  # for its Retry-After
    kept = tuple(header for header in whole.headers if header[0] == b"retry-after")
    return answer.json(chat.error(str(error), error.status, error.label), error.status, kept)

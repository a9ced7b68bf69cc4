"""GET /otel/…: six questions, each one statement whose rows are JSON objects already."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from ..duck import Duck
from ..errors import HandlerError
from ..web.answer import JSON, Answer


def routes(duck: Duck) -> list[Route]:
    handlers = _Handlers(duck)
    return [
        Route("/otel/span-service-names", handlers.service_names),
        Route("/otel/service/{serviceName}/root-spans", handlers.root_spans),
        Route("/otel/service/{serviceName}/root-spans-filtered", handlers.root_spans_with_llm),
        Route("/otel/trace/{traceId}/nested-spans", handlers.trace_spans),
        Route("/otel/trace/{traceId}/span/{spanId}", handlers.span),
        Route("/otel/spans/type/workflow/{serviceName}", handlers.workflow_spans),
    ]


class _Handlers:
    def __init__(self, duck: Duck) -> None:
        self._duck = duck

    async def service_names(self, request: Request) -> Answer:
        return _one(await self._read("service_names"), b"[]")

    async def root_spans(self, request: Request) -> Answer:
        return _list(await self._read("root_spans", service=_given(request, "serviceName")))

    async def root_spans_with_llm(self, request: Request) -> Answer:
        return _list(await self._read("root_spans_with_llm", service=_given(request, "serviceName")))

    async def trace_spans(self, request: Request) -> Answer:
        return _list(await self._read("trace_spans", trace=_given(request, "traceId")))

    async def span(self, request: Request) -> Answer:
        trace, span = _given(request, "traceId"), _given(request, "spanId")
        return _one(await self._read("span", trace=trace, span=span), b"null")

    async def workflow_spans(self, request: Request) -> Answer:
        return _list(await self._read("workflow_spans", service=_given(request, "serviceName")))

    async def _read(self, name: str, **params: str) -> list[bytes]:
        return [text for (text,) in await self._duck.read(name, params)]


def _given(request: Request, name: str) -> str:
    value: str = request.path_params[name]
    if not value:
        raise HandlerError(400, f"{name} parameter is required", "parameter")
    return value


def _list(objects: list[bytes]) -> Answer:
    return Answer(200, b"[%b]\n" % b",".join(objects), JSON)


def _one(values: list[bytes], absent: bytes) -> Answer:
    return Answer(200, b"%b\n" % (values[0] if values else absent), JSON)

"""GET /health and GET /metrics; both are ours and public."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from ..metrics import Metrics
from ..web.answer import Answer, json
from .checks import Checks


def routes(checks: Checks, metrics: Metrics) -> list[Route]:
    async def health(request: Request) -> Answer:
        report = await checks.report()
        return json(report.as_json(), 200 if report.healthy else 503)

    async def exposition(request: Request) -> Answer:
        text, media_type = metrics.exposition(request.headers.get("accept", ""))
        return Answer(200, text, media_type.encode("ascii"))

    return [Route("/health", health, methods=["GET"]), Route("/metrics", exposition, methods=["GET"])]

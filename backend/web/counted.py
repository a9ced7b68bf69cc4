"""The outermost layer: counts requests in progress and the users who make them."""

from __future__ import annotations

from typing import Any

from ..metrics import Metrics


class Counted:
    """ASGI middleware; a session's user is in `scope["user"]` once the request was let in."""

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        metrics = self._metrics
        metrics.active += 1
        try:
            await self._app(scope, receive, send)
        finally:
            metrics.active -= 1
            if (user := scope.get("user")) is not None:
                metrics.sessions.saw(user)

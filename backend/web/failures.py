"""The layer that turns errors into answers: those of our tree by their status, anything else into a logged 500."""

from __future__ import annotations

from typing import Any

from loguru import logger

from ..errors import BackendError, RequestError
from . import answer


class Failures:
    """ASGI middleware around everything that can raise. An answer that has begun is cut off instead."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except BackendError as found:
            if begun:
                raise
            if found.status >= 500:
                logger.warning("{} {}: {}", scope["method"], scope["path"], found)
            await answer.error(found)(scope, receive, send)
        except Exception:
            if begun:
                raise
            logger.exception("{} {} failed", scope["method"], scope["path"])
            await answer.error(RequestError(500, "Internal Server Error", "internal"))(scope, receive, send)

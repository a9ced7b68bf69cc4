"""/admin/…: operators' requests, with CUTOVER_ADMIN_TOKEN as a bearer token instead of a session and CSRF."""

from __future__ import annotations

import hmac
from typing import Any

import orjson
from pydantic import SecretStr
from starlette.requests import Request
from starlette.routing import Route

from ..errors import RequestError
from ..ingest.ownership import Ownership, Role
from ..ingest.quarantine import Quarantine
from ..web import answer
from ..web.routes import Handler


def routes(token: SecretStr | None, ownership: Ownership, quarantine: Quarantine) -> list[Route]:
    handlers = _Handlers(ownership, quarantine)

    def guarded(handler: Handler) -> Any:
        async def guard(request: Request) -> Any:
            _authorise(token, request.headers.get("authorization", ""))
            return await handler(request)

        return guard

    return [
        Route("/admin/handover", guarded(handlers.state), methods=["GET"]),
        Route("/admin/handover", guarded(handlers.hand_over), methods=["POST"]),
        Route("/admin/quarantine", guarded(handlers.list), methods=["GET"]),
        Route("/admin/quarantine/replay", guarded(handlers.replay), methods=["POST"]),
    ]


def _authorise(token: SecretStr | None, field: str) -> None:
    if token is None:
        raise RequestError(403, "the backend has no CUTOVER_ADMIN_TOKEN, so this is closed", "admin")
    scheme, _, given = field.partition(" ")
    expected = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
        raise RequestError(401, "this needs the backend's CUTOVER_ADMIN_TOKEN as a bearer token", "admin")


class _Handlers:
    def __init__(self, ownership: Ownership, quarantine: Quarantine) -> None:
        self._ownership = ownership
        self._quarantine = quarantine

    async def state(self, request: Request) -> answer.Answer:
        return answer.json(self._state())

    async def hand_over(self, request: Request) -> answer.Answer:
        """`{"to": "owner" | "follower"}` → 202; how it goes, GET says."""
        try:
            to = Role(orjson.loads(await request.body())["to"])
        except (ValueError, TypeError, KeyError):
            raise RequestError(400, 'the body must be {"to": "owner"} or {"to": "follower"}', "admin") from None
        self._ownership.hand_over(to)
        return answer.json(self._state(), 202)

    def _state(self) -> dict[str, str | None]:
        now = self._ownership
        return {"role": now.role.value, "step": now.step.value, "failure": now.failure}

    async def list(self, request: Request) -> answer.Answer:
        return answer.json({"total": await self._quarantine.count(), "entries": await self._quarantine.list()})

    async def replay(self, request: Request) -> answer.Answer:
        return answer.json(await self._quarantine.replay())

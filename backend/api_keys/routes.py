"""/api_keys over HTTP, with the Go backend's answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from ..errors import RequestError
from ..web import answer
from ..web.bind import BindError, bind
from ..web.gojson import STRING, Struct
from .service import ApiKey, ApiKeys

_CREATE = Struct("api_keys.CreateAPIKeyRequest", {"name": STRING})


def routes(keys: ApiKeys) -> list[Route]:
    handlers = _Handlers(keys)
    return [
        Route("/api_keys", handlers.all, methods=["GET"]),
        Route("/api_keys", handlers.create, methods=["POST"]),
        Route("/api_keys/{key}", handlers.delete, methods=["DELETE"]),
    ]


class _Handlers:
    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def all(self, request: Request) -> answer.Answer:
        return answer.json([_json(each) for each in await self._keys.all()])

    async def create(self, request: Request) -> answer.Answer:
        try:
            fields = bind(request.headers.get("content-type", ""), await request.body(), _CREATE)
        except BindError as error:
            raise RequestError(400, f"Invalid request body: {error}", "bind") from error
        return answer.json(_json(await self._keys.create(fields["name"])), 201)

    async def delete(self, request: Request) -> answer.Answer:
        await self._keys.delete(request.path_params["key"])
        return answer.no_content()


def _json(key: ApiKey) -> dict[str, str]:
    return {"ID": key.id, "Key": key.key, "Name": key.name, "CreatedAt": key.created_at}

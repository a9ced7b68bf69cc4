"""/users over HTTP, with the Go backend's answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from ..web import answer
from ..web.bind import bind
from ..web.gojson import STRING, Struct
from .service import Users

_CREATE = Struct("auth.CreateUserRequest", {"email": STRING, "password": STRING})


def routes(users: Users) -> list[Route]:
    handlers = _Handlers(users)
    return [
        Route("/users/db-has-users", handlers.exist, methods=["GET"]),
        Route("/users/create-first-user", handlers.create_first, methods=["POST"]),
        Route("/users", handlers.all, methods=["GET"]),
        Route("/users", handlers.create, methods=["POST"]),
        Route("/users/{id}", handlers.delete, methods=["DELETE"]),
    ]


class _Handlers:
    def __init__(self, users: Users) -> None:
        self._users = users

    async def exist(self, request: Request) -> answer.Answer:
        return answer.json({"usersExist": await self._users.exist()})

    async def create_first(self, request: Request) -> answer.Answer:
        email, password = await _credentials(request)
        await self._users.create_first(email, password)
        return answer.json({"message": "First user created successfully"})

    async def create(self, request: Request) -> answer.Answer:
        email, password = await _credentials(request)
        await self._users.create(email, password)
        return answer.json({"message": "User created successfully"})

    async def all(self, request: Request) -> answer.Answer:
        users = await self._users.all()
        return answer.json([{"ID": each.id, "Email": each.email, "CreatedAt": each.created_at} for each in users])

    async def delete(self, request: Request) -> answer.Answer:
        await self._users.delete(request.path_params["id"])
        return answer.json({"message": "User deleted successfully"})


async def _credentials(request: Request) -> tuple[str, str]:
    fields = bind(request.headers.get("content-type", ""), await request.body(), _CREATE)
    return fields["email"], fields["password"]

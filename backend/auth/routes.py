"""POST /sign-in and /sign-out, GET /auth-test and /csrf."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from ..errors import RequestError
from ..web import answer
from ..web.answer import Answer, Header
from ..web.bind import bind
from ..web.cookies import http_date, read_cookies
from ..web.gotypes import STRING, Struct
from .cookie import LIFETIME
from .service import Auth
from .validation import sign_in_problems

SIGN_IN = Struct("auth.SigninRequest", {"email": STRING, "password": STRING})


def routes(auth: Auth, domain: str) -> list[Route]:
    """`domain` is the one that session cookies are set for, empty for the host alone."""
    handlers = _Handlers(auth, domain)
    return [
        Route("/sign-in", handlers.sign_in, methods=["POST"]),
        Route("/sign-out", handlers.sign_out, methods=["POST"]),
        Route("/auth-test", _auth_test),
        Route("/csrf", _csrf),
    ]


class _Handlers:
    def __init__(self, auth: Auth, domain: str) -> None:
        self._auth = auth
        self._domain = f"; Domain={domain.removeprefix('.')}" if domain else ""

    async def sign_in(self, request: Request) -> Answer:
        fields = bind(request.headers.get("content-type", ""), await request.body(), SIGN_IN)
        if problems := sign_in_problems(fields["email"], fields["password"]):
            raise RequestError(400, "\n".join(problems), "validation")
        email = await self._auth.check(fields["email"], fields["password"])
        lines = (line.encode("latin-1") for line in request.headers.getlist("cookie"))
        before = read_cookies(lines, (b"session",)).get(b"session")
        if before is not None and not self._auth.is_session(before):
            # The Go backend can't replace a session that it can't read, one that has expired included.
            raise RequestError(500, "failed to get session", "session")
        value, now = self._auth.session(email)
        expires = http_date(now + LIFETIME)
        attributes = f"; Expires={expires}; Max-Age={LIFETIME}; HttpOnly; Secure; SameSite=Strict"
        return answer.json(
            {"message": "signed in"}, headers=(_set_cookie(f"session={value}; Path=/{self._domain}{attributes}"),)
        )

    async def sign_out(self, request: Request) -> Answer:
        value, _ = self._auth.session(request.scope["user"])
        gone = f"; Expires={http_date(1)}; Max-Age=0"
        cookies = [_set_cookie(f"session={value}; Path=/{gone}; Secure; SameSite=None")]
        if self._domain:
            # Go forgets the domain here, so the browser keeps the cookie that it was set with.
            cookies.append(_set_cookie(f"session=; Path=/{self._domain}{gone}; HttpOnly; Secure; SameSite=Strict"))
        return answer.json({"message": "signed out"}, headers=tuple(cookies))


def _set_cookie(line: str) -> Header:
    return b"set-cookie", line.encode("ascii")


async def _auth_test(request: Request) -> Answer:
    return answer.json({"userEmail": request.scope["user"]})


async def _csrf(request: Request) -> Answer:
    return answer.json({"csrfToken": request.scope["csrf"]})

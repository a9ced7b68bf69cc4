"""People who are signed in: their accounts are made on both backends, their sessions on one of them.

Both backends have the same secret, so a session that stable made is good on the canary: nobody signs in again when the
weight moves them. Sessions and CSRF tokens are the product's; the router knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from .processes import DemoError

ACCOUNTS = 6
_PASSWORD = "correct horse"  # noqa: S105  of accounts that live for a minute


@dataclass(frozen=True, slots=True)
class Account:
    """An e-mail address and the session cookie of its user."""

    email: str
    session: str


def open_accounts(backends: Sequence[str]) -> list[Account]:
    """Make the accounts on every one of `backends`, and sign in on the first."""
    emails = [f"user{number}@example.com" for number in range(1, ACCOUNTS + 1)]
    for url in backends:
        with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
            visitor = _Visitor(client)
            visitor.get("/csrf")
            visitor.post("/users/create-first-user", emails[0])
            visitor.post("/sign-in", emails[0])
            for email in emails[1:]:
                visitor.post("/users", email)
    with httpx.Client(base_url=backends[0], timeout=10, trust_env=False) as client:
        return [Account(email, _Visitor(client).post("/sign-in", email)["session"]) for email in emails]


class _Visitor:
    """Carries cookies by hand: those of the product are Secure, and this is plain http on the loopback."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> dict[str, str]:
        return self._send(self._client.build_request("GET", path))

    def post(self, path: str, email: str) -> dict[str, str]:
        return self._send(self._client.build_request("POST", path, json={"email": email, "password": _PASSWORD}))

    def _send(self, request: httpx.Request) -> dict[str, str]:
        request.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        answer = self._client.send(request)
        if answer.status_code != 200:
            raise DemoError(f"a backend answered {answer.status_code} to {request.url.path}: {answer.text[:200]}")
        self._cookies |= dict(answer.cookies)
        return self._cookies

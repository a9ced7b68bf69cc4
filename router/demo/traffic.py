"""Simulated users over real sockets: each with a cookie jar, a connection of its own and time to think.

Every answer becomes one `Answer`; judging them is measure.py. A user reconnects every few requests, as browsers
do, and so meets every worker in turn: all of them must give it the same arm.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import orjson

from .accounts import Account
from .client import FAILURES, Connection, Response
from .sides import Answer

#: A request that takes longer has failed.
TIMEOUT_SECONDS = 10.0
REQUESTS_PER_CONNECTION = (5, 15)
COOKIE = "cutover_id"

#: What an answer's JSON must hold; None is a list.
Expected = dict[str, Any] | None


class User:
    """One person: what it remembers between requests."""

    __slots__ = ("connection", "cookies", "email", "left", "number")

    def __init__(self, number: int, account: Account) -> None:
        self.number = number
        self.email = account.email
        self.cookies = {"session": account.session}
        self.connection: Connection | None = None
        self.left = 0


class Traffic:
    """`answers` grows while users are at it; `think` is the mean pause of a user between requests, in seconds.

    Users share the `accounts`: to the router each of them is somebody of their own all the same.
    """

    def __init__(self, host: str, port: int, think: float, accounts: Sequence[Account], seed: int = 0) -> None:
        self.answers: list[Answer] = []
        self._accounts = accounts
        self._address = (host, port)
        self._think = think
        self._rng = random.Random(seed)
        self._users: list[asyncio.Task[None]] = []
        self._stopping = False

    def join(self, count: int) -> None:
        """`count` new users arrive, signed in but unknown to the router, spread over one pause."""
        for _ in range(count):
            number = len(self._users)
            user = User(number, self._accounts[number % len(self._accounts)])
            self._users.append(asyncio.create_task(self._live(user)))

    async def stop(self) -> None:
        """Let every user finish the request it is in; nothing is aborted, so nothing is counted as failed."""
        self._stopping = True
        await asyncio.gather(*self._users)

    async def _live(self, user: User) -> None:
        await asyncio.sleep(self._rng.uniform(0, self._think))
        while not self._stopping:
            self.answers.append(await self._visit(user))
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * self._think)
        await self._leave(user)

    async def _visit(self, user: User) -> Answer:
        octets, expected = self._choose(user)
        sent = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await self._exchange(user, octets)
        except FAILURES as error:
            await self._leave(user)
            return Answer(user.number, sent, time.monotonic(), 0, "", f"{type(error).__name__}: {error}")
        answered = time.monotonic()
        arm, failure = judge(response, expected, user.cookies.get(COOKIE))
        user.cookies.update(response.cookies)
        return Answer(user.number, sent, answered, response.status, arm, failure)

    async def _exchange(self, user: User, octets: bytes) -> Response:
        if user.connection is None:
            user.connection = await Connection.open(*self._address)
            user.left = self._rng.randint(*REQUESTS_PER_CONNECTION)
        response = await user.connection.request(octets)
        user.left -= 1
        if user.left == 0 or response.headers.get("connection") == "close":
            await self._leave(user)
        return response

    async def _leave(self, user: User) -> None:
        if user.connection is not None:
            await user.connection.close()
            user.connection = None

    def _choose(self, user: User) -> tuple[bytes, Expected]:
        """The next request and what its answer must say: a mixed-up answer is as bad as none."""
        draw = self._rng.random()
        if draw < 0.6:
            return self._request(user, "GET", "/auth-test"), {"userEmail": user.email}
        if draw < 0.8:
            return self._request(user, "GET", "/users"), None
        if draw < 0.98 or "csrf" not in user.cookies:
            return self._request(user, "GET", "/otel/span-service-names"), None
        name = f"key {len(self.answers)} of {user.number}"
        return self._request(user, "POST", "/api_keys", orjson.dumps({"name": name})), {"Name": name}

    def _request(self, user: User, method: str, target: str, body: bytes = b"") -> bytes:
        host, port = self._address
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        if user.cookies:
            head += f"Cookie: {'; '.join(f'{name}={value}' for name, value in user.cookies.items())}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode("latin-1") + body


def judge(response: Response, expected: Expected, cookie: str | None) -> tuple[str, str]:
    """(arm that answered, why the answer doesn't count as one or ""); `cookie` is what the user sent."""
    claimed = response.headers.get("x-cutover-arm", "")
    if response.status >= 400:
        return claimed, f"status {response.status}"
    try:
        body = orjson.loads(response.body)
    except ValueError:
        return claimed, "the body is not JSON"
    if not isinstance(body, list) if expected is None else not _holds(body, expected):
        return claimed, "the answer belongs to another request"
    answered = response.headers.get("x-standin")
    if claimed != answered:
        return claimed, f"X-Cutover-Arm is {claimed or 'missing'}, but {answered} answered"
    issued = response.cookies.get(COOKIE)
    if issued is None and cookie is None:
        return claimed, f"no {COOKIE} cookie was set"
    if issued is not None and cookie is not None and issued != cookie:
        return claimed, f"the {COOKIE} cookie changed"
    return claimed, ""


def _holds(body: Any, expected: dict[str, Any]) -> bool:
    return isinstance(body, dict) and all(body.get(name) == value for name, value in expected.items())

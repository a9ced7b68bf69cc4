"""Clients that ask a router all the time, in a thread of their own, and note what they saw of every request.

Each request has an id of its own that the upstream (upstream.py) repeats; an answer to somebody else's request is the
failure ``wrong``. Some clients keep their connection, the others connect anew each time. Every client is one user with
one cookie, so its arm is known from its first answer on, unless more `users` are asked for.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from router.proxy.worker import new_loop
from tests.faults.client import Answer, Connection, Failed

#: A request that takes longer has failed; far above any timeout that a case sets.
PATIENCE = 20.0
#: Guard against a hang of the router or of the load itself.
HANG = 60.0
#: Reads, idempotent writes and others, about as the demo's users do.
MIX = ("GET",) * 7 + ("PUT", "POST", "POST")


def is_idempotent(method: str) -> bool:
    """RFC 9110 9.2.2."""
    return method != "POST"


@dataclass(frozen=True, slots=True)
class Event:
    """One request: `kind` is how it failed, "" when its answer was right; `arm` is who gave it."""

    client: int
    method: str
    sent: float
    done: float
    arm: str
    kind: str

    @property
    def seconds(self) -> float:
        return self.done - self.sent


class Load:
    """`events` grows while it runs; `think` is a client's mean pause in seconds."""

    def __init__(
        self,
        port: int,
        kept: int,
        fresh: int,
        think: float,
        methods: Sequence[str],
        target: str,
        tls: ssl.SSLContext | None,
        users: int,
    ) -> None:
        self.events: list[Event] = []
        self._port = port
        self._kept, self._fresh = kept, fresh
        self._think = think
        self._methods = methods
        self._target = target
        self._tls = tls
        self._users = users
        self._stopping = False
        self._rng = random.Random(1)
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="load")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let every client finish the request it is in."""
        self._stopping = True
        self._thread.join(HANG)
        assert not self._thread.is_alive(), "a client of the load hangs"

    def more(self, count: int) -> None:
        """Wait until `count` further requests have ended."""
        with self._grown:
            goal = len(self.events) + count
            grown = self._grown.wait_for(lambda: len(self.events) >= goal, HANG)
        assert grown, f"only {len(self.events)} of {goal} requests ended within {HANG:g} s"

    def failures(self, since: int = 0) -> list[Event]:
        return [event for event in self.events[since:] if event.kind]

    def succeeding(self, count: int) -> bool:
        """Whether the last `count` requests were answered well."""
        last = self.events[-count:]
        return len(last) == count and not any(event.kind for event in last)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        numbers = range(self._kept + self._fresh)
        await asyncio.gather(*(self._live(number, number < self._kept) for number in numbers))

    async def _live(self, client: int, keeps: bool) -> None:
        connection: Connection | None = None
        number = 0
        await asyncio.sleep(self._rng.uniform(0, self._think))
        while not self._stopping:
            number += 1
            method = self._rng.choice(self._methods)
            sent = time.monotonic()
            arm = kind = ""
            try:
                async with asyncio.timeout(PATIENCE):
                    if connection is not None and connection.ended:
                        await connection.close()
                        connection = None
                    connection = connection or await Connection.open(self._port, self._tls)
                    answer, arm = await self._ask(connection, client, f"{client}-{number}", method)
            except (Failed, TimeoutError) as failure:
                kind = failure.kind if isinstance(failure, Failed) else "timeout"
            done = time.monotonic()
            if connection is not None and (kind or not keeps or answer.closes):
                await connection.close()
                connection = None
            with self._grown:
                self.events.append(Event(client, method, sent, done, arm, kind))
                self._grown.notify_all()
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * self._think)
        if connection is not None:
            await connection.close()

    async def _ask(self, connection: Connection, client: int, unique: str, method: str) -> tuple[Answer, str]:
        body = json.dumps({"for": unique, "filling": "x" * 64}).encode() if method in ("PUT", "POST") else b""
        user = self._rng.randrange(self._users) if self._users else client
        answer = await connection.ask(request(method, self._target, unique, f"user-{user}", body))
        if answer.status != 200:
            raise Failed(str(answer.status))
        try:
            content = json.loads(answer.body)
            right = content["id"] == unique and content["body"] == body.decode()
            arm = content["service"]
        except (ValueError, LookupError):
            raise Failed("wrong") from None
        if not right or answer.fields.get("x-unique") != unique or answer.fields.get("x-cutover-arm") != arm:
            raise Failed("wrong")
        return answer, arm


def request(method: str, target: str, unique: str, user: str, body: bytes = b"") -> bytes:
    """A request as a browser with the router's cookie sends it."""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: app.example.test\r\nX-Unique: {unique}\r\nCookie: cutover_id={user}\r\n"
    )
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


@contextmanager
def running_load(
    port: int,
    kept: int = 24,
    fresh: int = 8,
    think: float = 0.03,
    methods: Sequence[str] = MIX,
    target: str = "/api/items/1",
    tls: ssl.SSLContext | None = None,
    users: int = 0,
) -> Iterator[Load]:
    """A load that has begun; leaving the block lets every client finish its request.

    With `users` each request is of any of so many users, else each client is one.
    """
    load = Load(port, kept, fresh, think, methods, target, tls, users)
    load.start()
    try:
        yield load
    finally:
        load.stop()

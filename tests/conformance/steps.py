"""The steps an upstream script is made of; each takes the connection and returns when it is done."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from tests.conformance.upstream import Connection, Step

Ready = Callable[[Connection], bool]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NEXT_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"


def head() -> Step:
    """Receive up to the end of the next head; the body stays unread."""

    def step(connection: Connection) -> None:
        connection.read_until(lambda: connection.data.find(b"\r\n\r\n", connection.taken) >= 0)
        connection.taken = connection.data.find(b"\r\n\r\n", connection.taken) + 4

    return step


def body(count: int) -> Step:
    """Receive `count` raw bytes more than what was taken so far."""

    def step(connection: Connection) -> None:
        target = connection.taken + count
        connection.read_until(lambda: len(connection.data) >= target)
        connection.taken = target

    return step


def message() -> Step:
    """Receive one whole request, by h11's reading."""

    def step(connection: Connection) -> None:
        connection.message()

    return step


def send(data: bytes) -> Step:
    return lambda connection: connection.send(data)


def signal(event: threading.Event) -> Step:
    return lambda connection: event.set()


def wait(event: threading.Event) -> Step:
    """Do nothing, not even read, until the test sets `event`."""

    def step(connection: Connection) -> None:
        if not event.wait(20):
            raise AssertionError("the test never opened the gate")

    return step


def close() -> Step:
    """FIN (or what the kernel makes of it when unread bytes are left)."""
    return lambda connection: connection.close()


def reset() -> Step:
    """RST."""
    return lambda connection: connection.close(reset=True)


def half_close() -> Step:
    return lambda connection: connection.sock.shutdown(socket.SHUT_WR)


def hang() -> Step:
    """Never answer: read until the router gives up."""

    def step(connection: Connection) -> None:
        while connection.read():
            pass

    return step


def until(ready: Ready) -> Step:
    return lambda connection: connection.read_until(lambda: ready(connection))


def serve(answer: bytes = OK) -> Step:
    """Answer every whole request with `answer`, and those for /next with NEXT_ANSWER, until the router closes."""

    def step(connection: Connection) -> None:
        while True:
            request = connection.message()
            connection.send(NEXT_ANSWER if request.target.endswith(b"/next") else answer)

    return step


def serve_each(make: Callable[[bytes], bytes]) -> Step:
    """Answer every whole request with what `make` says to its target."""

    def step(connection: Connection) -> None:
        while True:
            connection.send(make(connection.message().target))

    return step

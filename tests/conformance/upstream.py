"""A scripted upstream over real loopback sockets: it records every byte and does exactly what its script says.

A script is a list of steps for each connection in the order of their arrival (the last list serves all further
ones); see steps.py. Between cases `finish` closes every connection and waits until the router has let go of it, so
that no pooled connection of one case serves the next. Assertions about what was seen belong to the cases.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence

from tests.conformance.reading import Message, Reader, read_requests

# Guards against hangs, never an expectation about speed.
HANG = 8.0
RELEASE = 3.0

Step = Callable[["Connection"], None]


class ScriptOver(Exception):
    """Ends a connection's script early; nothing was wrong."""


class Connection:
    """One connection that the router opened, with all that came over it."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.data = bytearray()
        self.taken = 0
        self.sent = 0
        self.ended = False
        self.was_reset = False
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None

    def read(self, size: int = 65536) -> bool:
        """Record the next bytes; False once the router closed or reset its side."""
        if self.ended:
            return False
        try:
            piece = self.sock.recv(size)
        except (ConnectionError, ssl.SSLError):
            self.was_reset = True
            piece = b""
        with self.changed:
            self.data += piece
            self.ended = not piece
            self.changed.notify_all()
        return bool(piece)

    def read_until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if not self.read():
                raise ScriptOver

    def message(self) -> Message:
        """Receive one whole request."""
        reader = Reader()
        found = reader.feed(bytes(self.data[self.taken :])) if len(self.data) > self.taken else None
        while found is None:
            start = len(self.data)
            if not self.read():
                raise ScriptOver
            found = reader.feed(bytes(self.data[start:]))
        self.taken = len(self.data) - len(reader.rest)
        return found

    def send(self, data: bytes) -> None:
        try:
            for start in range(0, len(data), 65536):
                piece = data[start : start + 65536]
                self.sock.sendall(piece)
                with self.changed:
                    self.sent += len(piece)
                    self.changed.notify_all()
        except (ConnectionError, ssl.SSLError):
            raise ScriptOver from None

    def close(self, reset: bool = False) -> None:
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise ScriptOver

    def wait(self, ready: Callable[[], bool], what: str) -> None:
        """For the test's thread: block until `ready`, which looks at this connection."""
        with self.changed:
            assert self.changed.wait_for(ready, HANG), f"upstream connection {self.number}: {what} never came"

    def wait_ended(self) -> None:
        """Until the router closed its side."""
        self.wait(lambda: self.ended, "the router's close")

    def wait_bytes(self, count: int) -> None:
        self.wait(lambda: len(self.data) >= count, f"{count} bytes")

    def requests(self) -> list[Message]:
        return read_requests(bytes(self.data))


class Upstream:
    """Listens on one port for the whole session; `play` gives it the script of a case."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.connections: list[Connection] = []
        self.problems: list[str] = []
        self._script: Sequence[Sequence[Step]] = ()
        self._gates: list[threading.Event] = []
        self._arrived = threading.Condition()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name=f"upstream-{self.port}").start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def play(self, *connections: Sequence[Step]) -> None:
        """Forget the last case and serve this one; gates that were made for it stay closed."""
        self._close_connections()
        with self._arrived:
            self.connections = []
        self.problems = []
        self._script = connections

    def gate(self) -> threading.Event:
        """An event for `wait` steps; `finish` opens it in any case."""
        gate = threading.Event()
        self._gates.append(gate)
        return gate

    def connection(self, number: int) -> Connection:
        """The `number`th connection of this case, awaited."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.connections) > number, HANG)
            assert arrived, f"the router never opened upstream connection {number}"
            return self.connections[number]

    def requests(self) -> list[Message]:
        """What was received so far, connection by connection."""
        return [request for connection in list(self.connections) for request in connection.requests()]

    def finish(self) -> None:
        """End of a case: open its gates, close all connections and wait for the router to do the same."""
        for gate in self._gates:
            gate.set()
        self._gates = []
        self._close_connections()

    def _close_connections(self) -> None:
        with self._arrived:
            connections = list(self.connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_WR)
        for connection in connections:
            self._join(connection)

    def _join(self, connection: Connection) -> None:
        assert connection.thread is not None
        connection.thread.join(RELEASE)
        if connection.thread.is_alive():
            self.problems.append(f"the router kept connection {connection.number} open after the upstream's FIN")
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection.thread.join(RELEASE)

    def shut(self) -> None:
        """End of the session, or an upstream that refuses connections from here on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.finish()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(HANG)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._arrived:
                number = len(self.connections)
                connection = Connection(sock, number)
                steps = self._script[min(number, len(self._script) - 1)] if self._script else ()
                connection.thread = threading.Thread(target=self._run, args=(connection, steps), daemon=True)
                self.connections.append(connection)
                connection.thread.start()
                self._arrived.notify_all()

    def _run(self, connection: Connection, steps: Sequence[Step]) -> None:
        try:
            if self._tls is not None:
                connection.sock = self._tls.wrap_socket(connection.sock, server_side=True)
            for step in steps:
                step(connection)
            while connection.read():
                pass
        except ScriptOver:
            pass
        except TimeoutError:
            self.problems.append(f"connection {connection.number}: the script hung; saw {connection.data[:500]!r}")
        except (AssertionError, OSError) as problem:
            self.problems.append(f"connection {connection.number}: {type(problem).__name__}: {problem}")
        finally:
            connection.sock.close()
            with connection.changed:
                connection.ended = True
                connection.changed.notify_all()

"""One router between a client and an upstream that live in this thread, so that what has happened is known.

No sleeps: a *barrier* is a good request of another client, answered through the router. The router is one loop, so
whatever it wanted to do with bytes that were sent before, it has done when the barrier's answer is there. It is also
what notices an answer that reaches the wrong client, and a router that no longer serves.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable

import h11

from tests.fuzz.link import Failure, Link, Result, Served
from tests.fuzz.mutate import REQUEST, UNTIL_CLOSE, Case

#: A guard against hangs: all that a case makes the router do is a matter of milliseconds.
HANG = 5.0
#: Barriers without any further activity until a case is taken to be through, and at most.
QUIET, MOST_BARRIERS = 2, 60
_BARRIER = b"/barrier/"


class Lane:
    """Runs cases, one at a time, through the router on `port`, whose upstreams are all at `upstream_port`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self.upstream_port: int = self._listener.getsockname()[1]
        self.port = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._control: socket.socket | None = None
        self._told = b""
        self._client: socket.socket | None = None
        self._client_ended = False
        self._links: list[Link] = []
        self._numbers = 0
        self._activity = 0
        self._case = Case("", ())
        self._result = Result()
        self._order: list[Link] = []

    def close(self) -> None:
        self._drop_links()
        for sock in (self._control, self._client, self._listener):
            if sock is not None:
                sock.close()
        self._selector.close()

    def run(self, case: Case) -> Result:
        """One case from its first byte until the router has closed the client's connection."""
        self._case, self._result, self._order = case, Result(), []
        self._client = socket.create_connection(("127.0.0.1", self.port), HANG)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client_ended = False
        self._selector.register(self._client, selectors.EVENT_READ, self._read_client)
        try:
            for number, piece in enumerate(case.send):
                if number:
                    self.barrier()
                with contextlib.suppress(ConnectionError):
                    self._client.sendall(piece)
            self.settle()
            self._finish_answers()
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_WR)
            self._pump(lambda: self._client_ended, "the client's connection is still open after its last byte")
            self.settle()
            self._check_links()
        finally:
            self._end_client()
        result = self._result
        result.received = [bytes(link.data) for link in self._order]
        result.answered = [bytes(link.sent) for link in self._order]
        return result

    def barrier(self) -> None:
        """A good request through the router and back."""
        if self._control is None:
            self._control = socket.create_connection(("127.0.0.1", self.port), HANG)
            self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._control, selectors.EVENT_READ, self._read_control)
        self._numbers += 1
        number = b"%d" % self._numbers
        self._told = b""
        # POST: before a request that can't be repeated the router looks whether its idle connection is still good.
        self._control.sendall(
            b"POST " + _BARRIER + number + b" HTTP/1.1\r\nHost: h\r\nCookie: cutover_id=0\r\nContent-Length: 0\r\n\r\n"
        )
        ending = b"\r\n\r\nbarrier " + number + b"."
        self._pump(lambda: b"." in self._told.partition(b"\r\n\r\n")[2], "a good request isn't answered")
        if not self._told.startswith(b"HTTP/1.1 200 ") or not self._told.endswith(ending):
            raise Failure(f"a good request got the wrong answer: {self._told!r}")

    def restart(self) -> None:
        """Forget a connection that a failed case may have left in any state."""
        self._drop_links()
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None

    def settle(self) -> None:
        """Until nothing happens any more."""
        quiet = 0
        for _ in range(MOST_BARRIERS):
            before = self._activity
            self.barrier()
            self._poll(0)
            quiet = 0 if self._activity != before else quiet + 1
            if quiet == QUIET:
                return

    def _pump(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + HANG
        while not ready():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure(f"hang: {what} after {HANG:g} s")
            self._poll(left)

    def _poll(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()

    # The client's side.

    def _read_client(self) -> None:
        assert self._client is not None
        self._activity += 1
        try:
            piece = self._client.recv(262144)
        except ConnectionError:
            self._result.was_reset = True
            piece = b""
        self._result.saw += piece
        if not piece:
            self._client_ended = True
            self._selector.unregister(self._client)

    def _end_client(self) -> None:
        if self._client is not None:
            if not self._client_ended:
                self._selector.unregister(self._client)
            self._client.close()
            self._client = None

    def _read_control(self) -> None:
        assert self._control is not None
        piece = self._control.recv(65536)
        self._told += piece
        if not piece:
            self.restart()
            raise Failure(f"a good client's connection was closed, after {self._told!r}")

    # The upstream's side.

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        self._activity += 1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(sock)
        self._links.append(link)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._read_link(link))

    def _read_link(self, link: Link) -> None:
        try:
            piece = link.sock.recv(262144)
        except ConnectionError:
            piece = b""
        if not piece:
            self._activity += 1
            self._end_link(link)
            return
        if piece.startswith(b"POST " + _BARRIER) and link.between:
            self._answer_barrier(link, piece)
            return
        self._activity += 1
        if link not in self._order:
            self._order.append(link)
        for request in link.feed(piece):
            self._answer(link, request)

    def _answer_barrier(self, link: Link, piece: bytes) -> None:
        link.use(None)
        number = piece[len(b"POST " + _BARRIER) :].partition(b" ")[0]
        body = b"barrier " + number + b"."
        link.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def _answer(self, link: Link, request: h11.Request) -> None:
        answers = self._case.answers
        first, *further = answers[min(len(self._result.served), len(answers) - 1)]
        served = Served(bytes(request.method), self._order.index(link), len(link.sent))
        self._result.served.append(served)
        link.use(served)
        link.pending += further
        link.upgrades = any(name == b"upgrade" for name, _ in request.headers)
        if request.method == b"HEAD" and self._case.kind == REQUEST:
            self._send(link, first[: first.index(b"\r\n\r\n") + 4])
            return
        self._send(link, first)
        if first == UNTIL_CLOSE:
            link.shut()

    def _send(self, link: Link, data: bytes) -> None:
        link.sent += data
        with contextlib.suppress(ConnectionError):
            link.sock.sendall(data)

    def _finish_answers(self) -> None:
        """What is left of the answers, piece by piece; then the upstream closes, except where a request is unfinished:
        that the client's end has to end."""
        done: list[Link] = []
        while todo := [link for link in self._order if link not in done and self._may_close(link)]:
            for link in todo:
                while link.pending and not link.ended:
                    self._send(link, link.pending.pop(0))
                    self.settle()
                link.shut()
            done += todo
            self.settle()

    def _may_close(self, link: Link) -> bool:
        return not link.ended and (link.between or self._case.kind != REQUEST)

    def _check_links(self) -> None:
        for link in self._order:
            if not link.ended:
                what = (
                    "is left open after its end"
                    if link.between
                    else "holds an unfinished request of a client that left"
                )
                raise Failure(f"a connection to the upstream {what}: {bytes(link.data)!r}")

    def _end_link(self, link: Link) -> None:
        if not link.ended:
            link.ended = True
            self._selector.unregister(link.sock)
            link.sock.close()
            self._links.remove(link)

    def _drop_links(self) -> None:
        for link in list(self._links):
            self._end_link(link)

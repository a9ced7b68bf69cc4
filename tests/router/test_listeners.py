"""Listening sockets: as many as workers, on one address, shared with nobody else; errors say what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from router.errors import ConfigError
from router.listeners import open_listeners


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(
    stack: ExitStack, address: str, count: int, adopted: list[socket.socket] | None = None
) -> list[socket.socket]:
    found = open_listeners(address, count, adopted or [])
    for listener in found:
        stack.enter_context(listener)
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_every_worker_has_a_socket_on_the_same_port(stack: ExitStack, count: int) -> None:
    found = opened(stack, "127.0.0.1:0", count)
    assert len(found) == count
    assert len({listener.getsockname() for listener in found}) == 1
    assert all(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for listener in found)
    assert not any(listener.getblocking() for listener in found)


def test_each_connection_waits_in_exactly_one(stack: ExitStack) -> None:
    found = opened(stack, "127.0.0.1:0", 3)
    for _ in range(30):
        stack.enter_context(socket.create_connection(found[0].getsockname(), timeout=5))
    accepted = 0
    for listener in found:
        while True:
            try:
                stack.enter_context(listener.accept()[0])
            except BlockingIOError:
                break
            accepted += 1
    assert accepted == 30


def test_adopted_ones_come_first_and_are_completed(stack: ExitStack) -> None:
    first = opened(stack, "127.0.0.1:0", 1)
    found = opened(stack, "127.0.0.1:0", 2, first)
    assert found[0] is first[0]
    assert found[1].getsockname() == first[0].getsockname()


def test_more_adopted_ones_than_workers_are_all_kept(stack: ExitStack) -> None:
    first = opened(stack, "127.0.0.1:0", 3)
    assert opened(stack, "127.0.0.1:0", 1, first) == first


def test_the_given_list_is_not_changed(stack: ExitStack) -> None:
    adopted = opened(stack, "127.0.0.1:0", 1)
    opened(stack, "127.0.0.1:0", 2, adopted)
    assert len(adopted) == 1


@pytest.mark.parametrize("shared", [False, True], ids=["", "with SO_REUSEPORT"])
def test_a_port_in_use_is_refused(stack: ExitStack, shared: bool) -> None:
    """Another router of this user would set SO_REUSEPORT as well, and take half of the connections."""
    other = stack.enter_context(socket.socket())
    if shared:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    other.bind(("127.0.0.1", 0))
    other.listen()
    address = f"127.0.0.1:{other.getsockname()[1]}"
    with pytest.raises(ConfigError, match=f"--listen {address}: another program listens there"):
        open_listeners(address, 2, [])


@pytest.mark.parametrize("address", ["192.0.2.1:0", "no-such-name.invalid:0"])
def test_an_address_that_is_not_ours(address: str) -> None:
    with pytest.raises(ConfigError, match=f"--listen {address}: .+; stop it or choose another"):
        open_listeners(address, 1, [])


def test_no_host_is_every_interface(stack: ExitStack) -> None:
    (listener,) = opened(stack, ":0", 1)
    assert listener.getsockname()[0] in ("::", "0.0.0.0")
    stack.enter_context(socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5))

"""The server for API keys, asked by a real client over a real socket."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio
import pytest
import uvloop
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from loguru import logger

from backend.errors import DatabaseBusyError, StartError
from backend.rpc.pb.auth_pb2 import ValidateApiKeyRequest
from backend.rpc.pb.auth_pb2_grpc import InternalAuthServiceStub
from backend.rpc.server import AuthServer

GOOD = "good-key-0123456789"


@dataclass
class Keys:
    """Stands in for the API keys' table; `error` is raised instead of an answer."""

    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def validate(self, key: str) -> bool:
        self.asked.append(key)
        if self.error is not None:
            raise self.error
        return key == GOOD


@dataclass
class Asked:
    keys: Keys
    auth: InternalAuthServiceStub
    health: HealthStub
    observed: list[tuple[str, str]]

    async def valid(self, key: str) -> bool:
        answer = await self.auth.ValidateApiKey(ValidateApiKeyRequest(api_key=key), timeout=5)
        return bool(answer.is_valid)

    async def code(self, key: str) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.valid(key)
        assert key not in str(caught.value)
        return caught.value.code()


@asynccontextmanager
async def asking(keys: Keys, deadline: float = 4) -> AsyncIterator[Asked]:
    observed: list[tuple[str, str]] = []
    server = AuthServer(
        "127.0.0.1:0", keys.validate, deadline=deadline, observe=lambda method, code, _: observed.append((method, code))
    )
    async with server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Asked(keys, InternalAuthServiceStub(channel), HealthStub(channel), observed)


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    async with asking(Keys()) as asked:
        yield asked


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level=0, diagnose=False)
    yield lines
    logger.remove(sink)


async def test_keys_are_validated(asked: Asked, logged: list[str]) -> None:
    assert await asked.valid(GOOD)
    assert not await asked.valid("startup-readiness-check")
    assert not await asked.valid("")
    assert asked.keys.asked == [GOOD, "startup-readiness-check", ""]
    assert asked.observed == [("ValidateApiKey", "OK")] * 3
    assert GOOD not in "".join(logged)


async def test_a_database_that_is_busy_is_not_a_no(asked: Asked, logged: list[str]) -> None:
    asked.keys.error = DatabaseBusyError("held by another process")
    assert await asked.code(GOOD) == grpc.StatusCode.UNAVAILABLE
    asked.keys.error = None
    assert await asked.valid(GOOD)
    assert asked.observed == [("ValidateApiKey", "UNAVAILABLE"), ("ValidateApiKey", "OK")]
    assert "held by another process" in "".join(logged)
    assert GOOD not in "".join(logged)


async def test_a_bug_is_an_error_without_the_key(asked: Asked, logged: list[str]) -> None:
    asked.keys.error = ZeroDivisionError("division by zero")
    assert await asked.code(GOOD) == grpc.StatusCode.INTERNAL
    assert "ZeroDivisionError" in "".join(logged)
    assert GOOD not in "".join(logged)


async def test_a_slow_database_is_told_before_the_client_gives_up() -> None:
    class Slow(Keys):
        async def validate(self, key: str) -> bool:
            await asyncio.Event().wait()
            return True

    async with asking(Slow(), deadline=0.05) as asked:
        assert await asked.code(GOOD) == grpc.StatusCode.DEADLINE_EXCEEDED
        # The server's word, not the client's own deadline.
        assert asked.observed == [("ValidateApiKey", "DEADLINE_EXCEEDED")]


@pytest.mark.parametrize("service", ["", "ingestion.InternalAuthService"])
async def test_health(asked: Asked, service: str) -> None:
    answer = await asked.health.Check(HealthCheckRequest(service=service))  # type: ignore[attr-defined]
    assert answer.status == HealthCheckResponse.SERVING


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A Go backend's listener: Go sets SO_REUSEADDR."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", ""])
async def test_a_taken_port_is_told_with_what_to_set(peer: socket.socket, host: str) -> None:
    port = peer.getsockname()[1]
    shown = re.escape(f"{host or '0.0.0.0'}:{port}")
    with pytest.raises(StartError, match=rf"AUTH_GRPC_LISTEN_ADDRESS {shown} can't be taken: .*ddress already in use"):
        await _start(f"{host}:{port}")
    with pytest.raises(StartError, match=r"set AUTH_GRPC_LISTEN_ADDRESS=\S+:50054$"):
        await _start(f"{host}:{port}")


async def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1:50053 can't be taken: Cannot assign"):
        await _start("192.0.2.1:50053")


async def test_two_backends_never_share_a_port() -> None:
    """gRPC's default would let them, and each would get half of the calls."""
    first = AuthServer("127.0.0.1:0", Keys().validate)
    async with first:
        with pytest.raises(StartError, match="in use"):
            await _start(f"127.0.0.1:{first.port}")
        # A peer that is willing to share, as another gRPC server is, gets no part of the port either.
        sharing = grpc.aio.server()
        with pytest.raises(RuntimeError, match="Failed to bind"):
            sharing.add_insecure_port(f"127.0.0.1:{first.port}")


async def test_the_port_is_free_again_after_a_stop() -> None:
    first = AuthServer("127.0.0.1:0", Keys().validate)
    async with first:
        pass
    await _start(f"127.0.0.1:{first.port}")


async def _start(address: str) -> None:
    async with AuthServer(address, Keys().validate):
        pass


def test_under_uvloop() -> None:
    """The loop that the backend runs on."""

    async def once() -> bool:
        async with asking(Keys()) as asked:
            return await asked.valid(GOOD)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(once())

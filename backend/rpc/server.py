"""Answers the ingestion service's questions about API keys over gRPC; also gRPC health.

Whether a key is valid is not decided here, and a key goes into no log line and no error.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from time import monotonic

import grpc.aio
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from loguru import logger

from ..errors import BackendError, StartError
from .address import Address
from .observe import Observe, ignore
from .pb.auth_pb2 import ValidateApiKeyRequest, ValidateApiKeyResponse
from .pb.auth_pb2_grpc import InternalAuthServiceServicer, add_InternalAuthServiceServicer_to_server

#: Whether a key is valid; raises a BackendError when that can't be known now.
Validate = Callable[[str], Awaitable[bool]]

#: Seconds for one validation. The ingestion service gives up after 5, and should hear why.
DEADLINE = 4.0
#: Seconds that calls under way get when the server stops.
GRACE = 5.0
SETTING = "AUTH_GRPC_LISTEN_ADDRESS"
SERVICES = ("", "ingestion.InternalAuthService")


class AuthServer:
    """The gRPC server; an async context manager, serving inside. `port` is the one it got."""

    def __init__(
        self, address: str, validate: Validate, *, deadline: float = DEADLINE, observe: Observe = ignore
    ) -> None:
        self._address = Address.parse(address, SETTING)
        # With SO_REUSEPORT, gRPC's default, two backends would share the port and each take half of the calls.
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._health = health.HealthServicer()
        self._auth = _Auth(validate, deadline, observe)
        add_InternalAuthServiceServicer_to_server(self._auth, self._server)
        add_HealthServicer_to_server(self._health, self._server)
        self.port = 0

    @property
    def last_code(self) -> str:
        """Name of the status that the last validation ended with; OK before the first."""
        return self._auth.last_code

    async def __aenter__(self) -> AuthServer:
        """Take the port and serve.

        Raises:
            StartError: somebody has the port, or the address isn't this machine's.
        """
        await _try(self._address)
        try:
            self.port = self._server.add_insecure_port(str(self._address))
        except RuntimeError as error:
            raise _taken(self._address, str(error)) from None
        for service in SERVICES:
            await self._health.set(service, HealthCheckResponse.SERVING)
        await self._server.start()
        logger.info("API keys are validated on {}:{}", self._address.host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE)


class _Auth(InternalAuthServiceServicer):
    def __init__(self, validate: Validate, deadline: float, observe: Observe) -> None:
        self._validate = validate
        self._deadline = deadline
        self._observe = observe
        self.last_code = grpc.StatusCode.OK.name

    async def ValidateApiKey(
        self, request: ValidateApiKeyRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> ValidateApiKeyResponse:
        """A call that fails isn't a "no": the ingestion service would turn a client with a good key away."""
        started = monotonic()
        code, details, valid = grpc.StatusCode.OK, "", False
        try:
            async with asyncio.timeout(self._deadline):
                valid = await self._validate(request.api_key)
        except TimeoutError:
            code, details = grpc.StatusCode.DEADLINE_EXCEEDED, f"not validated within {self._deadline:g} s"
        except BackendError as error:
            logger.warning("an API key could not be validated: {}", error)
            code, details = grpc.StatusCode.UNAVAILABLE, "the backend's database can't be read now; try again"
        except Exception:
            logger.exception("an API key could not be validated")
            code, details = grpc.StatusCode.INTERNAL, "the backend failed; its log says why"
        self.last_code = code.name
        self._observe("ValidateApiKey", code.name, monotonic() - started)
        if code is not grpc.StatusCode.OK:
            await context.abort(code, details)
        return ValidateApiKeyResponse(is_valid=valid)


async def _try(address: Address) -> None:
    """Bind every address that the name stands for, and let go: gRPC is content with one of them, and says no reason."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except OSError as error:
        raise _taken(address, error.strerror or str(error)) from error


def _taken(address: Address, reason: str) -> StartError:
    return StartError(
        f"{SETTING} {address} can't be taken: {reason}; if the Go backend runs on this machine it has port 50053, "
        f"then set {SETTING}={address.with_port(50054)}"
    )

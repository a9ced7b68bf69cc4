"""The check of the gRPC server that validates API keys: serves as long as the backend runs; how did the last one go?"""

from __future__ import annotations

from ..rpc.server import AuthServer
from .checks import Check, Finding


def grpc_server_check(server: AuthServer) -> Check:
    async def check() -> Finding:
        if server.last_code != "OK":
            reason = f"the last API key could not be validated: {server.last_code}"
            return Finding("degraded", {"reason": reason})
        return Finding("ok")

    return check

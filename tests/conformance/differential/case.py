"""One case of the differential: raw bytes, and what each proxy makes of them (outcome.py has the notation)."""

from __future__ import annotations

from dataclasses import dataclass

GET = b"GET /p HTTP/1.1\r\nHost: h\r\n"
HEAD = b"HEAD /p HTTP/1.1\r\nHost: h\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: h\r\n"
POST_10 = b"POST /p HTTP/1.0\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
WEBSOCKET = (
    GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@dataclass(frozen=True)
class Case:
    """`nginx` and `haproxy` are empty where they do as we do; where they differ, `why` gives our reason."""

    id: str
    send: bytes
    router: str
    nginx: str = ""
    haproxy: str = ""
    why: str = ""

    def expected(self, peer: str) -> str:
        """Of a peer by its name; " or " stands between outcomes that change from run to run."""
        told: str = getattr(self, peer)
        return told or self.router

"""The answers that the router makes itself: small JSON documents in the shape of the admin API's errors."""

from __future__ import annotations

import json
from http import HTTPStatus

REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus} | {
    413: b"Content Too Large",
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
}


def error_answer(status: int, code: str, message: str, date: bytes, extra: bytes, close: bool, is_head: bool) -> bytes:
    """A whole answer; `extra` are further field lines, each ended by CRLF, `date` an IMF-fixdate (RFC 9110 5.6.7)."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    head = [
        b"HTTP/1.1 %d %b\r\nDate: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        % (status, REASONS.get(status, b"Error"), date, len(body)),
        b"Cache-Control: no-store\r\n",
        b"Retry-After: 1\r\n" if status == 503 else b"",
        b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" if status == 405 else b"",
        b"Connection: close\r\n" if close else b"",
        extra,
        b"\r\n",
    ]
    if not is_head:
        head.append(body)
    return b"".join(head)

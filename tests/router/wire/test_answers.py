"""The router's own answers: always whole, framed, and readable by h11."""

from __future__ import annotations

import json
from http import HTTPStatus

import h11
import pytest

from router.wire.answers import error_answer

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
STATUSES = [400, 405, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505]


def read(data: bytes, method: bytes = b"GET") -> tuple[h11.Response, bytes, bool]:
    """(head, body, whether the server will go on) as h11 sees it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    head = connection.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert connection.trailing_data == (b"", False)
    return head, body, connection.their_state is h11.DONE


@pytest.mark.parametrize("status", STATUSES)
def test_h11_reads_each_status(status: int) -> None:
    head, body, goes_on = read(error_answer(status, "label", 'quo"ted, ünï', DATE, b"", False, False))
    assert head.status_code == status
    assert head.reason
    assert goes_on
    assert json.loads(body) == {"error": {"code": "label", "message": 'quo"ted, ünï'}}
    fields = dict(head.headers)
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"date"] == DATE
    assert fields[b"cache-control"] == b"no-store"


def test_close_is_said() -> None:
    """RFC 9112 9.6."""
    head, _, goes_on = read(error_answer(400, "x", "y", DATE, b"", True, False))
    assert (b"connection", b"close") in head.headers
    assert not goes_on


def test_head_gets_the_length_but_no_body() -> None:
    """RFC 9110 9.3.2."""
    whole = error_answer(502, "x", "y", DATE, b"", False, False)
    answer = error_answer(502, "x", "y", DATE, b"", False, True)
    assert answer == whole[: whole.index(b"\r\n\r\n") + 4]
    head, body, _ = read(answer, b"HEAD")
    assert body == b""
    assert int(dict(head.headers)[b"content-length"]) == len(whole) - len(answer)


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (503, b"retry-after", True),  # RFC 9110 10.2.3
        (502, b"retry-after", False),
        (405, b"allow", True),  # RFC 9110 15.5.6: it must be there
        (404, b"allow", False),
    ],
)
def test_fields_of_one_status(status: int, name: bytes, expected: bool) -> None:
    head, _, _ = read(error_answer(status, "x", "y", DATE, b"", False, False))
    assert (name in dict(head.headers)) is expected


def test_extra_fields_are_kept() -> None:
    head, _, _ = read(error_answer(502, "x", "y", DATE, b"X-Request-Id: r\r\nSet-Cookie: a=b\r\n", False, False))
    assert {(b"x-request-id", b"r"), (b"set-cookie", b"a=b")} <= set(head.headers)


def test_no_body_can_break_out_of_its_head() -> None:
    answer = error_answer(400, "x", "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", DATE, b"", False, False)
    assert answer.count(b"\r\n\r\n") == 1


def test_an_unknown_status_has_a_reason() -> None:
    status = 599
    assert status not in list(HTTPStatus)
    assert error_answer(status, "x", "y", DATE, b"", False, False).startswith(b"HTTP/1.1 599 Error\r\n")

"""`unmarshal` differs from Go's Decoder (see test_bind) at the end of the text only."""

from __future__ import annotations

import pytest

from backend.web.gojson import JsonError, JsonTypeError, decode, unmarshal
from tests.backend.web.structs import REQUEST, USER


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"email": "a', "unexpected end of JSON input"),
        (b'{"email": "\\u0', "invalid character ' ' in \\u hexadecimal character escape"),
        (b"nu", "invalid character ' ' in literal null (expecting 'l')"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b"<html>", "invalid character '<' looking for beginning of value"),
        (b"[]", "json: cannot unmarshal array into Go value of type main.CreateUserRequest"),
    ],
)
def test_what_unmarshal_refuses(text: bytes, error: str) -> None:
    with pytest.raises(JsonError) as caught:
        unmarshal(text, USER)
    assert str(caught.value) == error


def test_what_follows_is_left_alone_by_decode_only() -> None:
    assert decode(b'{"email": "a"} x', USER)["email"] == "a"
    assert unmarshal(b' {"email": "a"} \n', USER) == {"email": "a", "password": ""}


def test_a_repeated_key_decodes_over_the_first() -> None:
    text = (
        b'{"messages": [{"role": "u"}, {"role": "v"}], "messages": [{"content": "c"}],'
        b' "plain": {"type": "t"}, "plain": {}}'
    )
    fields = decode(text, REQUEST)
    assert fields["messages"] == [{"role": "u", "content": "c"}]
    assert fields["plain"]["type"] == "t"


def test_the_path_of_a_wrong_type() -> None:
    with pytest.raises(JsonTypeError) as caught:
        decode(b'{"messages": [{"role": 5}]}', REQUEST)
    assert (caught.value.field, caught.value.offset) == ("messages.role", 24)
    assert "Go struct field Msg.messages.role of type string" in str(caught.value)

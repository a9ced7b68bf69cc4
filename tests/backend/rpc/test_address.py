from __future__ import annotations

import pytest

from backend.errors import ConfigError
from backend.rpc.address import Address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.0.0.0:50053", "0.0.0.0:50053"),
        (":50053", "0.0.0.0:50053"),
        ("junjo-server-ingestion:50052", "junjo-server-ingestion:50052"),
        ("[::1]:0", "[::1]:0"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert str(Address.parse(text, "X")) == shown


@pytest.mark.parametrize(
    "text", ["", "50053", "host", "host:", "host:99999", "host:x", "::1:50053", "a b:1", "http://a:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match=r"AUTH_GRPC_LISTEN_ADDRESS is '.*', but should be host:port"):
        Address.parse(text, "AUTH_GRPC_LISTEN_ADDRESS")

"""`host:port` as the settings have it, checked: gRPC takes a missing port for 443 and 99999 for another number."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..errors import ConfigError

_FORM = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:/\s]*):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv6 `host` is without its brackets; str() puts them on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, setting: str) -> Address:
        """`text` is the value of `setting`; a missing host is every address of the machine, as in Go.

        Raises:
            ConfigError: it isn't host:port.
        """
        match = _FORM.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            raise ConfigError(f"{setting} is {text!r}, but should be host:port, as in 0.0.0.0:50053")
        return cls(match["host"].strip("[]") or "0.0.0.0", int(match["port"]))  # noqa: S104

    def with_port(self, port: int) -> Address:
        return replace(self, port=port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

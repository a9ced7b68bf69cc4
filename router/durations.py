"""Durations as people write them, for settings and plans."""

from __future__ import annotations

import re
from typing import Any

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> Any:
    """`"250ms"`, `"10s"`, `"1h"` or a plain number of seconds → seconds; anything else is left to pydantic."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a duration; write for example 250ms, 10s, 5m or 24h")
        return float(match[1]) * _UNITS[match[2]]
    return value

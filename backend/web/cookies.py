"""Cookies as Go's net/http reads and writes them.

Pure. Of several pairs with one name the first valid one counts, over all Cookie lines; a pair with a byte that no
value may have is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from functools import lru_cache
from time import gmtime, strftime

#: What a value may hold (net/http, validCookieValueByte); quotes around the whole are taken off before.
_VALUE = re.compile(rb"[\x20!\x23-\x3a\x3c-\x5b\x5d-\x7e]*+")
_SPACE = b" \t\r\n"


def read_cookies(lines: Iterable[bytes], names: Container[bytes]) -> dict[bytes, str]:
    """Those of `names` that have a valid value in the values of the Cookie headers."""
    found: dict[bytes, str] = {}
    for line in lines:
        for part in line.split(b";"):
            name, _, value = part.strip(_SPACE).partition(b"=")
            name = name.rstrip(_SPACE)
            if name not in names or name in found:
                continue
            if len(value) > 1 and value[0] == value[-1] == 0x22:
                value = value[1:-1]
            if _VALUE.fullmatch(value):
                found[name] = value.decode("ascii")
    return found


def written_value(value: str) -> str:
    """A value that was read, as it stands in Set-Cookie."""
    return f'"{value}"' if " " in value or "," in value else value


@lru_cache(8)
def http_date(seconds: int) -> str:
    """``Tue, 24 Nov 2026 06:16:28 GMT``; kept, since all answers of a second share it."""
    moment = gmtime(seconds)
    return strftime(f"{_DAYS[moment.tm_wday]}, %d {_MONTHS[moment.tm_mon - 1]} %Y %H:%M:%S GMT", moment)


# strftime's own names depend on the locale.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

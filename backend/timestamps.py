"""Times as SQLite columns hold them, written as Go's JSON writes a time.Time: RFC 3339 with no more than is needed.

Pure. SQLite's CURRENT_TIMESTAMP is what both backends store (``2026-11-23 06:16:28``, UTC). The Go driver,
modernc.org/sqlite, stores a time.Time as its String() (``2026-11-23 06:16:28.5 +0100 CET m=+0.01``) and reads that and
SQLite's own formats; each has a case in the tests, with what Go made of it.
"""

from __future__ import annotations

import re
from datetime import datetime

_SQLITE = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[ T](?P<hour>\d\d?):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?(?P<zone>[+-]\d\d:\d\d)?)?)?Z?",
    re.ASCII,
)
_GO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d) (?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d+))?"
    r" (?P<zone>[+-]\d{4}) [A-Z0-9+-]+(?: m=[+-][\d.]+)?",
    re.ASCII,
)
_NANOSECONDS = 9


def rfc3339(stored: object) -> str:
    """`"2026-11-23 06:16:28"` → `"2026-11-23T06:16:28Z"`; fractions and offsets are kept.

    Raises:
        ValueError: it isn't text that the Go driver reads as a time.
    """
    text = stored if isinstance(stored, str) else ""
    found = _SQLITE.fullmatch(text) or _GO.fullmatch(text)
    if found is None:
        raise ValueError("a stored time is in no format of SQLite's or the Go driver's")
    whole = f"{found['date']}T{found['hour'] or '':0>2}:{found['minute'] or '00'}:{found['second'] or '00'}"
    datetime.fromisoformat(whole)  # no 30th of February
    fraction = (found["fraction"] or "")[:_NANOSECONDS].rstrip("0")
    zone = (found["zone"] or "+0000").replace(":", "")
    return whole + ("." + fraction if fraction else "") + ("Z" if zone[1:] == "0000" else f"{zone[:3]}:{zone[3:]}")

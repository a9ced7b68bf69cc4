"""The ingestion service's log as a file of JSON lines, in the form of the recorded spans.jsonl.

One process appends, others read while the file grows; whoever is killed and started again finds the same log.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
from bisect import bisect_left, insort
from collections.abc import Iterable
from pathlib import Path

from backend.ingest.stored import Stored

_FIELDS = ("key_ulid", "span_bytes", "resource_bytes")


class SpanLog:
    """Entries in key order, as of the last `refresh`."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = path
        self.entries: list[Stored] = []
        self._read = 0

    def refresh(self) -> None:
        """Take in what was appended; a line that isn't written to its end yet waits."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._read += len(complete)
        for line in complete.splitlines():
            entry = json.loads(line)
            insort(self.entries, Stored(*(base64.b64decode(entry[field]) for field in _FIELDS)))

    def after(self, key: bytes, limit: int) -> list[Stored]:
        """As the real service seeks: to the key with a zero byte behind it."""
        start = bisect_left(self.entries, Stored(key + b"\0", b"", b"")) if key else 0
        return self.entries[start : start + limit]


def append(path: Path, entries: Iterable[Stored]) -> None:
    """Write entries behind the others, in one go: a reader sees whole lines, or a last one without its end."""
    lines = [
        json.dumps({name: base64.b64encode(part).decode() for name, part in zip(_FIELDS, entry, strict=True)}) + "\n"
        for entry in entries
    ]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with os.fdopen(descriptor, "wb") as file:
        file.write("".join(lines).encode())


class Keys:
    """Binary ULIDs that only grow, within a millisecond too, as the real service makes them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._last = 0

    def next(self) -> bytes:
        fresh = time.time_ns() // 1_000_000 << 80 | self._rng.getrandbits(80)
        same_millisecond = fresh >> 80 <= self._last >> 80
        self._last = self._last + self._rng.randint(1, 2**32) if same_millisecond else fresh
        return self._last.to_bytes(16, "big")

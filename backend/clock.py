"""The wall clock, so that tests can put another in its place."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds since 1970 (UTC).
Clock = Callable[[], float]

wall: Clock = time.time

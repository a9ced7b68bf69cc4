"""How far the poller is, as /health and the metrics read it; plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Phase(Enum):
    """What the last poll came to."""

    STARTING = "starting"
    #: The batch was full, so more is there.
    BEHIND = "behind"
    DRAINED = "drained"
    FAILING = "failing"


@dataclass(slots=True)
class Progress:
    """Times are seconds since 1970. It outlives pollers, so that counters go on over a hand-over."""

    phase: Phase = Phase.STARTING
    #: Entries handed to the sink, bad spans among them, and polls that ended well.
    spans: int = 0
    polls: int = 0
    #: Spans that were new, and entries that were put aside.
    indexed: int = 0
    quarantined: int = 0
    #: Failed polls by the label of their error.
    errors: Counter[str] = field(default_factory=Counter)
    #: When a poll last ended well.
    polled_at: float | None = None
    #: When the newest entry that is stored came into the log.
    stored_until: float | None = None
    #: Why polls fail now, None while they don't: a label that anybody may see, words that name addresses; since when.
    error_label: str | None = None
    error: str | None = None
    failing_since: float | None = None

    def age(self, now: float) -> float | None:
        """Seconds since a poll last ended well; None before the first."""
        return None if self.polled_at is None else max(0.0, now - self.polled_at)

    def lag(self, now: float) -> float | None:
        """Seconds of the log that aren't stored yet; None if that can't be known: how many spans, nobody tells."""
        if self.phase is Phase.DRAINED:
            return 0.0
        if self.phase is Phase.BEHIND and self.stored_until is not None:
            return max(0.0, now - self.stored_until)
        return None

"""Decisions for whoever wants to hear of them: the console's event streams, the notifier.

Saying it never waits: each listener has a bounded queue, and one that doesn't keep up loses the oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Decisions kept for a listener that is busy.
_KEPT = 100


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision that is in force, as the table `decisions` has it, without the evidence."""

    id: int
    rollout: int
    time: str
    actor: str
    action: str
    step: str
    percent: float
    gate: str | None
    words: str


class Feed:
    """`say` on one side, any number of `listen` on the other; one event loop."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Decided]] = set()

    @property
    def listeners(self) -> int:
        return len(self._queues)

    def say(self, decided: Decided) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(decided)

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Decided]]:
        """Everything that is said within the block."""
        queue: asyncio.Queue[Decided] = asyncio.Queue(_KEPT)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

"""The poller against a scripted service and a sink in memory, on a clock that only moves when it waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

import pytest

from backend.errors import DatabaseBusyError, IngestionAwayError, IngestionError
from backend.ingest import poller as module
from backend.ingest.poller import Poller
from backend.ingest.progress import Phase, Progress
from backend.ingest.stored import Stored

START = 1_800_000_000.0


def entry(number: int, size: int = 1) -> Stored:
    """Stored `number` seconds after START."""
    return Stored(int((START + number) * 1000).to_bytes(6, "big") + b"\0" * 10, b"s" * size, b"")


class Time:
    """Now, and a wait that returns at once; the test ends the poller when its script of waits is over."""

    def __init__(self) -> None:
        self.now = START + 100
        self.waits: list[float] = []
        self.then: deque[Callable[[], None]] = deque()
        self.over = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if not self.then:
            self.over.set()
            await asyncio.Event().wait()
        self.then.popleft()()


class Log:
    """The ingestion service: `error` is raised after `error_after` entries of a call."""

    def __init__(self, *entries: Stored) -> None:
        self.entries = list(entries)
        self.error: Exception | None = None
        self.error_after = 0
        self.limits: list[int] = []

    async def read(self, after: bytes, limit: int) -> AsyncGenerator[Stored, None]:
        self.limits.append(limit)
        found = [entry for entry in self.entries if entry.key > after][:limit]
        for number, entry in enumerate(found):
            if self.error is not None and number == self.error_after:
                raise self.error
            yield entry
        if self.error is not None and self.error_after >= len(found):
            raise self.error


class Memory:
    """A sink in memory; `hold` keeps a batch from being committed until it is set."""

    def __init__(self) -> None:
        self.batches: list[list[Stored]] = []
        self.error: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.entered = asyncio.Event()

    @property
    def spans(self) -> list[Stored]:
        return [span for batch in self.batches for span in batch]

    def cursor(self) -> bytes:
        return self.batches[-1][-1].key if self.batches else b""

    async def store(self, spans: list[Stored]) -> None:
        self.entered.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        self.batches.append(list(spans))


class Rig:
    def __init__(self, *entries: Stored, batch_size: int = 3) -> None:
        self.time, self.log, self.sink, self.progress = Time(), Log(*entries), Memory(), Progress()
        self.poller = Poller(
            self.log,
            self.sink,
            interval=5,
            batch_size=batch_size,
            progress=self.progress,
            clock=lambda: self.time.now,
            pause=self.time.pause,
            chance=lambda: 1.0,
        )

    async def run(self, *then: Callable[[], None]) -> None:
        """Poll until the waits are over that `then` follows."""
        self.time.then.extend(then)
        async with self.poller:
            await self.time.over.wait()


def nothing() -> None:
    pass


async def test_full_batches_follow_each_other_without_a_wait() -> None:
    rig = Rig(*map(entry, range(20)))
    await rig.run(nothing, nothing)
    assert [len(batch) for batch in rig.sink.batches] == [3, 6, 11]
    assert rig.sink.spans == rig.log.entries
    assert rig.time.waits == [0, 0, 5]


async def test_a_last_full_batch_costs_one_more_read() -> None:
    rig = Rig(*map(entry, range(9)))
    await rig.run(nothing, nothing)
    assert rig.time.waits == [0, 0, 5]
    assert rig.progress.polls == 3


async def test_batches_grow_while_they_are_full_and_not_for_ever() -> None:
    rig = Rig(*map(entry, range(100)))
    await rig.run(*[nothing] * 7)
    assert rig.log.limits == [3, 6, 12, 24, 24, 24, 24, 3]
    assert rig.sink.spans == rig.log.entries


async def test_spans_that_come_later_are_found() -> None:
    rig = Rig()
    await rig.run(lambda: rig.log.entries.append(entry(1)), nothing)
    assert rig.sink.spans == [entry(1)]
    assert rig.time.waits == [5, 5, 5]


async def test_lag_is_the_age_of_what_is_stored_until_the_log_is_drained() -> None:
    rig = Rig(*map(entry, range(4)))
    assert (rig.progress.lag(rig.time.now), rig.progress.age(rig.time.now)) == (None, None)
    seen: list[tuple[Phase, float | None]] = []
    await rig.run(lambda: seen.append((rig.progress.phase, rig.progress.lag(rig.time.now))), nothing)
    assert seen == [(Phase.BEHIND, 98.0)]
    assert (rig.progress.phase, rig.progress.lag(rig.time.now)) == (Phase.DRAINED, 0.0)
    assert rig.progress.age(rig.time.now + 7) == 12.0
    assert rig.progress.spans == 4


async def test_back_off_doubles_to_its_limit_and_ends_with_the_first_good_poll() -> None:
    rig = Rig(entry(1))
    rig.log.error = IngestionAwayError("nobody answers")

    def back() -> None:
        rig.log.error = None

    await rig.run(*[nothing] * 7, back)
    assert rig.time.waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 5]
    assert rig.progress.errors == {"away": 8}
    assert (rig.progress.phase, rig.progress.error, rig.progress.error_label) == (Phase.DRAINED, None, None)
    assert rig.progress.failing_since is None
    assert rig.sink.spans == [entry(1)]


async def test_back_off_starts_anew_after_a_good_poll() -> None:
    rig = Rig()
    rig.log.error = away = IngestionAwayError("nobody answers")
    await rig.run(nothing, lambda: setattr(rig.log, "error", None), lambda: setattr(rig.log, "error", away), nothing)
    assert rig.time.waits == [0.5, 1, 5, 0.5, 1]


async def test_chance_spreads_the_waits_over_half_of_them() -> None:
    rig = Rig()
    rig.poller._chance = lambda: 0.0
    rig.log.error = IngestionAwayError("nobody answers")
    await rig.run(nothing)
    assert rig.time.waits == [0.25, 0.5]


async def test_while_polls_fail_the_lag_is_unknown_and_the_reason_known() -> None:
    rig = Rig()
    await rig.run(lambda: setattr(rig.log, "error", IngestionAwayError("nobody answers")), nothing)
    assert (rig.progress.phase, rig.progress.error) == (Phase.FAILING, "nobody answers")
    assert rig.progress.error_label == "away"
    assert rig.progress.lag(rig.time.now) is None
    assert rig.progress.failing_since == START + 105
    assert rig.progress.polled_at == START + 100


async def test_what_came_before_an_error_is_stored() -> None:
    """So a service that breaks off every call after two spans is read to its end all the same."""
    rig = Rig(*map(entry, range(5)))
    rig.log.error, rig.log.error_after = IngestionError("broken off"), 2
    await rig.run(nothing, nothing)
    assert [len(batch) for batch in rig.sink.batches] == [2, 2, 1]
    assert rig.progress.errors == {"ingestion": 3}


async def test_a_batch_that_can_not_be_stored_is_read_again() -> None:
    rig = Rig(entry(1), entry(2))
    rig.sink.error = DatabaseBusyError("held")
    await rig.run(nothing, lambda: setattr(rig.sink, "error", None))
    assert rig.sink.spans == [entry(1), entry(2)]
    assert rig.time.waits == [0.5, 1, 5]
    assert rig.progress.errors == {"busy": 2}
    assert rig.progress.spans == 2


async def test_a_bug_in_the_sink_does_not_end_the_polling() -> None:
    rig = Rig(entry(1))
    rig.sink.error = ZeroDivisionError("with a span's content in it")
    await rig.run(lambda: setattr(rig.sink, "error", None))
    assert rig.progress.errors == {"internal": 1}
    assert rig.sink.spans == [entry(1)]


async def test_the_text_of_a_bug_is_not_shown() -> None:
    rig = Rig(entry(1))
    rig.sink.error = ZeroDivisionError("with a span's content in it")
    await rig.run()
    assert rig.progress.error == "ZeroDivisionError in the poller; the log has its traceback"


@pytest.mark.parametrize("second", [entry(1), entry(0)])
async def test_a_service_that_goes_back_in_its_log_moves_no_cursor(second: Stored) -> None:
    rig = Rig()

    async def read(after: bytes, limit: int) -> AsyncGenerator[Stored, None]:
        yield entry(1)
        yield second

    rig.log.read = read  # type: ignore[method-assign]
    await rig.run()
    assert rig.sink.spans == [entry(1)]
    assert rig.progress.error is not None
    assert "sent key" in rig.progress.error


async def test_large_spans_make_a_batch_before_it_has_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 100)
    rig = Rig(*(entry(number, size=60) for number in range(5)), batch_size=1000)
    await rig.run(nothing, nothing)
    assert [len(batch) for batch in rig.sink.batches] == [2, 2, 1]
    assert rig.time.waits == [0, 0, 5]


async def test_a_batch_that_is_being_stored_is_stored_before_it_ends() -> None:
    rig = Rig(entry(1))
    rig.sink.hold = asyncio.Event()
    leaving = asyncio.Event()

    async def use() -> None:
        async with rig.poller:
            await rig.sink.entered.wait()
            leaving.set()

    using = asyncio.create_task(use())
    await leaving.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not using.done()
    rig.sink.hold.set()
    await using
    assert rig.sink.spans == [entry(1)]


async def test_a_read_under_way_is_dropped_when_it_ends() -> None:
    rig = Rig()
    reading, closed = asyncio.Event(), asyncio.Event()

    async def read(after: bytes, limit: int) -> AsyncGenerator[Stored, None]:
        try:
            yield entry(1)
            reading.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    rig.log.read = read  # type: ignore[method-assign]
    async with rig.poller:
        await reading.wait()
    assert closed.is_set()
    assert rig.sink.spans == []

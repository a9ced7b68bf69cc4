"""Where a poll begins, and an entry that comes late."""

from __future__ import annotations

from backend.ingest.overlap import WINDOW, Overlap, back
from tests.backend.ingest.test_poller import Rig, entry, nothing


def test_back_is_two_seconds_before() -> None:
    assert back(entry(10).key) == entry(10 - int(WINDOW)).key
    assert back(b"") == b""
    assert back(bytes(16)) == bytes(16)


def test_once_more_from_before_after_each_new_entry() -> None:
    overlap = Overlap()
    assert overlap.start(entry(5).key) == entry(3).key
    assert overlap.start(entry(5).key) == entry(5).key
    overlap.stored([entry(6)])
    assert overlap.start(entry(6).key) == entry(4).key
    assert overlap.start(entry(6).key) == entry(6).key


def test_what_no_poll_sees_again_is_forgotten() -> None:
    overlap = Overlap()
    overlap.stored([entry(number) for number in range(100)])
    assert len(overlap._known) == len(overlap._order) == 2
    assert overlap.unknown([entry(98), entry(99), entry(100)]) == [entry(100)]


async def test_an_entry_that_comes_late_is_stored() -> None:
    """Its key is before the cursor's, since keys are made before they are committed."""
    rig = Rig(entry(5), entry(6))
    late = entry(6)._replace(key=entry(5).key[:-1] + b"\1")
    await rig.run(lambda: rig.log.entries.insert(1, late), nothing)
    assert rig.sink.batches == [[entry(5), entry(6)], [late]]


async def test_a_quiet_log_is_not_read_again() -> None:
    rig = Rig(entry(5))
    starts = []
    read = rig.log.read
    rig.log.read = lambda after, limit: (starts.append(after), read(after, limit))[1]  # type: ignore
    await rig.run(*[nothing] * 3)
    assert starts == [b"", entry(3).key, entry(5).key, entry(5).key]

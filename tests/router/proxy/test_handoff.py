"""Messages with descriptors between supervisor and worker, and how a new supervisor finds orphaned workers."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.proxy import handoff

Channels = tuple[socket.socket, socket.socket]


@pytest.fixture
def channels() -> Iterator[Channels]:
    here, there = handoff.pair()
    with here, there:
        yield here, there


def test_a_message(channels: Channels) -> None:
    here, there = channels
    handoff.send(here, "ready", {"pid": 7})
    assert handoff.receive(there) == ({"kind": "ready", "pid": 7}, [])


def test_messages_keep_their_borders(channels: Channels) -> None:
    here, there = channels
    handoff.send(here, "retire")
    handoff.send(here, "adopt")
    found = [handoff.receive(there), handoff.receive(there)]
    assert found == [({"kind": "retire"}, []), ({"kind": "adopt"}, [])]


def test_a_large_message(channels: Channels) -> None:
    here, there = channels
    handoff.send(here, "start", {"settings": "x" * 100_000})
    received = handoff.receive(there)
    assert received is not None
    assert len(received[0]["settings"]) == 100_000


def test_descriptors_arrive_usable_and_in_order(channels: Channels) -> None:
    here, there = channels
    files = [os.memfd_create(f"test-{number}") for number in range(20)]
    for number, fd in enumerate(files):
        os.write(fd, b"%d" % number)
    handoff.send(here, "start", {}, files)
    for fd in files:
        os.close(fd)
    received = handoff.receive(there)
    assert received is not None
    assert [os.pread(fd, 10, 0) for fd in received[1]] == [b"%d" % number for number in range(20)]
    for fd in received[1]:
        os.close(fd)


def test_the_end_of_the_other_side(channels: Channels) -> None:
    here, there = channels
    here.close()
    assert handoff.receive(there) is None
    with pytest.raises(OSError):
        handoff.send(there, "ready")


@pytest.mark.parametrize("name", ["s.db", "s" * 200 + ".db"])
def test_workers_are_found_beside_the_state(tmp_path: Path, name: str) -> None:
    """A socket's path may be 108 bytes long; the state file's may be longer."""
    server, path = handoff.listen(tmp_path / name)
    with server:
        assert path.parent == handoff.directory(tmp_path / name)
        assert path.name == f"worker-{os.getpid()}.sock"
        channel = handoff.connect(path)
        assert channel is not None
        accepted, _ = server.accept()
        with channel, accepted:
            handoff.send(channel, "adopt")
            assert handoff.receive(accepted) == ({"kind": "adopt"}, [])
            assert handoff.peer_is_ours(accepted)


def test_another_user_is_not_ours(channels: Channels, monkeypatch: pytest.MonkeyPatch) -> None:
    assert handoff.peer_is_ours(channels[0])
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert not handoff.peer_is_ours(channels[0])


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    assert stat.S_IMODE(handoff.directory(tmp_path / "s.db").stat().st_mode) == 0o700


def test_what_a_dead_worker_left_is_removed(tmp_path: Path) -> None:
    server, path = handoff.listen(tmp_path / "s.db")
    server.close()
    assert path.exists()
    assert handoff.connect(path) is None
    assert not path.exists()
    assert handoff.connect(path) is None, "nor is it an error that somebody else removed it"


def test_a_worker_takes_over_the_path_of_a_dead_one(tmp_path: Path) -> None:
    handoff.listen(tmp_path / "s.db")[0].close()
    server, path = handoff.listen(tmp_path / "s.db")
    channel = handoff.connect(path)
    assert channel is not None
    channel.close()
    server.close()

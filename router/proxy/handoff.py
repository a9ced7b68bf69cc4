"""How supervisor and worker talk: JSON messages with file descriptors, over a Unix SEQPACKET socket.

A worker is started with one end of a socket pair. It also listens beside the state file, so that a supervisor that
starts after another one was killed finds the workers that are still serving, and gets their listening sockets and
the shared table from them: nothing that waits in a socket is lost.

====================  ==========  ===================================================  ============
message               direction   content                                              descriptors
====================  ==========  ===================================================  ============
``start``             to worker   settings, slot, block                                table, listeners
``ready``             to super.   pid                                                  none
``adopt``             to worker   nothing; asks an orphan for what it has               none
``have``              to super.   pid, slot, block, listen, arms (URLs of each)         table, listeners
``retire``            to worker   nothing; stop accepting, finish what is open, exit   none
====================  ==========  ===================================================  ============
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import orjson

_MESSAGE_BYTES = 160 * 1024
_DESCRIPTORS = 32


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(
    channel: socket.socket, kind: str, content: dict[str, Any] | None = None, fds: list[int] | None = None
) -> None:
    """Send one message; `OSError` when the other side is gone."""
    data = orjson.dumps({"kind": kind, **(content or {})})
    if fds:
        socket.send_fds(channel, [data], fds)
    else:
        channel.send(data)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Next message and its descriptors, or None when the other side is gone."""
    try:
        data, fds, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, _DESCRIPTORS)
    except ConnectionError:
        return None
    if not data:
        return None
    message: dict[str, Any] = orjson.loads(data)
    return message, list(fds)


def directory(state: Path) -> Path:
    """Where the workers of a state file can be found; only its owner may look."""
    path = state.with_name(state.name + ".run")
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _address(path: Path, at: int) -> str:
    # A path below /proc is short, whatever the length of the real one (sun_path holds 108 bytes).
    return f"/proc/self/fd/{at}/{path.name}"


def listen(state: Path) -> tuple[socket.socket, Path]:
    """This worker's meeting point, named by its process id."""
    path = directory(state) / f"worker-{os.getpid()}.sock"
    path.unlink(missing_ok=True)
    at = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server.bind(_address(path, at))
        server.listen(4)
    finally:
        os.close(at)
    return server, path


def connect(path: Path) -> socket.socket | None:
    """A channel to the worker that listens at `path`; None, and the path removed, when there is none."""
    at = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel.settimeout(2.0)
    try:
        channel.connect(_address(path, at))
    except OSError:
        channel.close()
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(at)
    return channel


def peer_is_ours(channel: socket.socket) -> bool:
    """Whether the process at the other end runs as the same user."""
    credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], "little") == os.geteuid()

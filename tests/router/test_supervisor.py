"""A start that can't be: said before anything is opened. What a running supervisor does is tests/faults' business."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from router.errors import ConfigError
from router.fleet import find_orphans
from router.supervisor import Supervisor
from tests.router.fakes import make_settings


async def test_without_stable_nothing_is_served(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, stable=())
    with pytest.raises(ConfigError, match="--stable"):
        await Supervisor(settings, lambda: settings).run()
    assert not settings.state.exists()


async def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, tls={"cert": tmp_path / "no.pem", "key": tmp_path / "no.key"})
    with pytest.raises(ConfigError, match=r"tls\.cert .*no\.pem"):
        await Supervisor(settings, lambda: settings).run()
    assert not settings.state.exists()


async def test_a_taken_address_leaves_no_worker(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = make_settings(tmp_path, listen=f"127.0.0.1:{other.getsockname()[1]}", admin="127.0.0.1:0")
        with pytest.raises(ConfigError, match="another program listens there"):
            await Supervisor(settings, lambda: settings).run()
    assert find_orphans(settings.state, settings.listen).orphans == []

"""Children are waited for, explained when they fail, and never left behind."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from router.demo import processes
from router.demo.processes import DemoError, Processes, free_port
from router.demo.run import demo

STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(f"ready http://127.0.0.1/{os.getpid()}/{child}", flush=True)
time.sleep(60)
"""


def test_whoever_ignores_the_request_to_end_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    with Processes(tmp_path) as running:
        running.start("stubborn", ["stubborn"])
        pids = map(int, running.url_of("stubborn").split("/")[-2:])
        ends = [os.pidfd_open(pid) for pid in pids]
    for end in ends:
        assert select.select([end], [], [], 10)[0], "still runs"
        os.close(end)


def test_one_that_ends_instead_of_starting_is_explained(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('no such port')")
    with Processes(tmp_path) as running:
        running.start("router", ["broken"])
        with pytest.raises(DemoError, match=r"router ended with code 1 instead of starting:\nno such port"):
            running.wait_until_ready("router", f"http://127.0.0.1:{free_port()}/readyz")


def test_one_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.1)
    (tmp_path / "silent.py").write_text("import time; time.sleep(60)")
    with Processes(tmp_path) as running:
        running.start("stable", ["silent"])
        with pytest.raises(DemoError, match="stable was not ready after"):
            running.url_of("stable")


def test_children_see_none_of_the_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_LISTEN", "0.0.0.0:80")
    (tmp_path / "show.py").write_text(
        "import os, router; print('ready', *sorted(k for k in os.environ if k.startswith('CUTOVER')), os.getcwd())"
    )
    with Processes(tmp_path) as running:
        running.start("show", ["show"], {"CUTOVER_ADMIN_TOKEN": "x"})
        assert running.url_of("show") == f"CUTOVER_ADMIN_TOKEN {tmp_path.resolve()}"


def test_the_installed_package_says_that_it_needs_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("router.demo.run.ROOT", tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    assert demo() == 1
    assert "run it from a clone" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before

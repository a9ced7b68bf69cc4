"""`cutover demo` from end to end: real processes, real sockets, a minute at most."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from router.demo.processes import ROOT
from router.demo.run import INTERRUPTED

pytestmark = pytest.mark.slow


def start(folder: Path) -> subprocess.Popen[str]:
    """The command, in a folder whose settings would break the router if the demo read them."""
    (folder / "cutover.toml").write_text("nonsense = 1\n")
    return subprocess.Popen(
        [sys.executable, "-m", "router", "demo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUTOVER_WORKERS": "99"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def listening(output: str) -> list[int]:
    """Ports among those the demo printed that somebody still listens on."""
    ports = {int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d{4,5})\b", output.partition("canary at")[0])}
    assert len(ports) == 4, output
    found = []
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def test_it_all_happens_and_nothing_stays_behind(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        output, _ = process.communicate(timeout=110)
    assert process.returncode == 0, output
    steps = re.findall(r"^canary at (\d+) %: .*, wrong 0, failed 0: ok$", output, re.MULTILINE)
    assert steps == ["0", "10", "50", "100", "0"], output
    assert "It held:" in output
    assert re.search(r"^weight 0 after [\d.]+ s, none of [\d,]+ requests failed", output, re.MULTILINE), output
    assert "rollback in step 'half'" in output
    assert "decided again from its evidence: the same" in output
    assert not listening(output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_all_it_started(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        output = process.stdout.readline() + process.stdout.readline()
        process.send_signal(number)
        output += process.communicate(timeout=60)[0]
    assert process.returncode == INTERRUPTED, output
    assert "interrupted" in output
    assert "Traceback" not in output
    assert not listening(output)

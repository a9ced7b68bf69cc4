"""The real backend as a process: `python -m backend` on a free port, with files of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECRET = "test-secret-0123456789abcdefghijklmnop"
#: Guards against hangs, never an expectation about speed.
HANG = 30.0


class BackendProcess:
    """A backend that answers on `url`, and what it has logged (`lines`, one dict each)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.port = 0
        self._answers = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        assert self._answers.wait(HANG), f"the backend doesn't answer: {self.lines}"
        assert self.port, f"the backend ended with {self.process.wait(HANG)}: {self.lines}"

    def stop(self) -> int:
        """SIGTERM, or SIGKILL if that isn't enough; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(HANG)
        finally:
            self._reader.join(HANG)
            assert self.process.stderr is not None
            self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line = json.loads(text) if text.startswith("{") else {"message": text.rstrip()}
            self.lines.append(line)
            if line["message"].startswith("the backend answers on "):
                self.port = int(line["message"].rpartition(":")[2])
                self._answers.set()
        self._answers.set()


@contextmanager
def running_backend(folder: Path, **settings: str) -> Iterator[BackendProcess]:
    """A backend whose databases lie in `folder` (made if absent); `settings` are environment variables over ours."""
    process = subprocess.Popen(
        [sys.executable, "-m", "backend", "--host", "127.0.0.1", "--port", "0"],
        cwd=ROOT,
        env=environment(folder, settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    backend = BackendProcess(process)
    try:
        backend.wait_until_ready()
        yield backend
    finally:
        backend.stop()


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Nothing of this machine's own settings but what Python needs; no port is fixed and no peer is real."""
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
        "JUNJO_SESSION_SECRET": SECRET,
        "SQLITE_DB_PATH": str(folder / "sqlite" / "app_data.db"),
        "DUCKDB_PATH": str(folder / "duckdb" / "otel_data.db"),
        "INGESTION_GRPC_ADDRESS": "127.0.0.1:1",
        "AUTH_GRPC_LISTEN_ADDRESS": "127.0.0.1:0",
        **settings,
    }

"""Our backend as the target of a replay: one process a phase, on the same files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

_READY = re.compile(r"answers on [^ ]*:(\d+)")


class Ours:
    """`python -m backend` on databases in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._folder = folder
        self._environment: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread

    def __enter__(self) -> Ours:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def enter(self, phase: str, environment: dict[str, str]) -> None:
        self._environment = environment
        self._stop()
        self._start()

    def ingest(self, service: str) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        settings = {
            "SQLITE_DB_PATH": str(self._folder / "app_data.db"),
            "DUCKDB_PATH": str(self._folder / "otel_data.db"),
            "INGESTION_GRPC_ADDRESS": "127.0.0.1:1",
            "AUTH_GRPC_LISTEN_ADDRESS": "127.0.0.1:0",
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        command = [sys.executable, "-m", "backend", "--host", "127.0.0.1", "--port", "0"]
        self._process = subprocess.Popen(
            command, env=kept | settings | self._environment, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        seen = []
        for line in self._process.stderr:
            seen.append(line)
            if ready := _READY.search(line):
                self.url = f"http://127.0.0.1:{ready[1]}"
                break
        else:
            raise AssertionError("the backend didn't start:\n" + "".join(seen))
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._drain.start()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(20)
            self._drain.join(20)
            assert process.stderr is not None
            process.stderr.close()

"""Our backend as the target of a replay: a process a phase, on the same files, beside a stand-in ingestion service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from backend.ingest.decode import service_name
from tests.backend.ingest.spans import recorded
from tests.standins.spanlog import append

_READY = re.compile(r"answers on [^ ]*:(\d+)")


class Ours:
    """`python -m backend` on databases in `folder`; in phase 2 it is led to `providers`, by its environment."""

    def __init__(self, folder: Path, providers: Mapping[str, str] | None = None) -> None:
        self.url = ""
        self._folder = folder
        self._providers = providers or {}
        self._environment: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread
        self._log = folder / "ingestion.jsonl"
        self._sent = 0

    def __enter__(self) -> Ours:
        command = [sys.executable, "-m", "tests.standins.ingestion", "--port", "0", "--log", str(self._log)]
        self._ingestion = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._ingestion.stdout is not None
        self._ingestion_address = self._ingestion.stdout.readline().split()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._ingestion.terminate()
        self._ingestion.communicate(timeout=20)

    def enter(self, phase: str, environment: dict[str, str]) -> None:
        self._environment = {**(self._providers if phase == "2" else {}), **environment}
        self._stop()
        self._start()

    def ingest(self, service: str) -> None:
        entries = [entry for entry in recorded() if service_name(entry.resource) == service]
        append(self._log, entries)
        self._sent += len(entries)
        deadline = time.monotonic() + 20
        while self._stored() < self._sent:
            assert time.monotonic() < deadline, "the spans don't arrive"

    def _stored(self) -> int:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=20) as answer:
            (count,) = re.findall(r"^backend_ingest_spans_total (\S+)$", answer.read().decode(), re.MULTILINE)
        return int(float(count))

    def _start(self) -> None:
        settings = {
            "SQLITE_DB_PATH": str(self._folder / "app_data.db"),
            "DUCKDB_PATH": str(self._folder / "otel_data.db"),
            "INGESTION_GRPC_ADDRESS": self._ingestion_address,
            "SPAN_POLL_INTERVAL": "0.05",
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

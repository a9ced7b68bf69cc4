"""Our backend as the target of a replay: a process a phase, on the same files, beside a stand-in ingestion service."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from backend.ingest.decode import service_name
from tests.backend.ingest.spans import recorded
from tests.backend.processes import running_backend
from tests.standins.spanlog import append


class Ours:
    """`python -m backend` on databases in `folder`; in phase 2 it is led to `providers`, by its environment."""

    def __init__(self, folder: Path, providers: Mapping[str, str] | None = None) -> None:
        self.url = ""
        self._folder = folder
        self._providers = providers or {}
        self._environment: dict[str, str] = {}
        self._backend = ExitStack()
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
        settings = {"INGESTION_GRPC_ADDRESS": self._ingestion_address, "SPAN_POLL_INTERVAL": "0.05"}
        self.url = self._backend.enter_context(running_backend(self._folder, **settings, **self._environment)).url

    def _stop(self) -> None:
        self._backend.close()

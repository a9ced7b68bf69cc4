"""Spans that flow through real processes: a source, the stand-in ingestion service, a backend that may be killed."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from backend.duck import Duck
from backend.ingest.stored import Stored
from tests.backend.ingest.handover import expected
from tests.backend.processes import ROOT, environment
from tests.standins.spanlog import append
from tests.standins.spans import Source

TOKEN = "operator-0123456789"
#: Guards against hangs.
HANG = 60.0


class Flow:
    """A context manager: an ingestion service runs, and spans come at `rate` a second until `stop_sending`."""

    def __init__(self, folder: Path, rate: int = 300) -> None:
        self.folder = folder
        self.sent: list[Stored] = []
        self._rate = rate
        self._log = folder / "log.jsonl"
        self._over = threading.Event()
        self._sender = threading.Thread(target=self._send)
        self._backends: list[subprocess.Popen[str]] = []
        self._port = 0

    def __enter__(self) -> Flow:
        self.start_ingestion()
        self._sender.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_sending()
        for process in (*self._backends, self._ingestion):
            process.kill()
            process.communicate()

    def start_ingestion(self) -> None:
        """On the same port each time."""
        command = [sys.executable, "-m", "tests.standins.ingestion", "--log", str(self._log), "--port", str(self._port)]
        self._ingestion = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._ingestion.stdout is not None
        self.address = self._ingestion.stdout.readline().split()[1]
        self._port = int(self.address.rpartition(":")[2])

    def kill_ingestion(self) -> None:
        self._ingestion.kill()
        self._ingestion.communicate()

    def stop_sending(self) -> None:
        self._over.set()
        self._sender.join()

    def _send(self) -> None:
        entries = Source(bad_every=40).entries()
        while not self._over.wait(0.05):
            fresh = list(islice(entries, self._rate // 20))
            append(self._log, fresh)
            self.sent += fresh

    def backend(self, before: Callable[[], None] | None = None, **settings: str) -> Backend:
        """Start one; `before` runs in the new process."""
        given = {
            "INGESTION_GRPC_ADDRESS": self.address,
            "SPAN_POLL_INTERVAL": "0.02",
            "CUTOVER_ADMIN_TOKEN": TOKEN,
            "LOG_FORMAT": "text",
            **settings,
        }
        log = self.folder / f"backend-{len(self._backends)}.log"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend", "--host", "127.0.0.1", "--port", "0"],
                cwd=ROOT,
                env=environment(self.folder, given),
                stderr=stderr,
                stdout=subprocess.DEVNULL,
                text=True,
                preexec_fn=before,
            )
        self._backends.append(process)
        return Backend(process, log)

    def file(self) -> Path:
        return self.folder / "duckdb" / "otel_data.db"

    def missing_or_doubled(self) -> str:
        """What is wrong with the shared file, which nobody holds; empty if it has all that was sent, once."""
        spans, patches = expected(self.sent)
        bad = len(self.sent) - len(spans)

        async def stored() -> tuple[list[str], list[str], int]:
            async with Duck() as duck:
                await duck.open(self.file())
                found = await duck.read("merge_ids", {"first": 0, "most": 10**7})
                ids = {"trace_id": [row[1] for row in found], "span_id": [row[2] for row in found]}
                patches = sorted(row[0] for row in await duck.read("merge_patches", ids))
                ((aside,),) = await duck.read("quarantine_count")
                return sorted(f"{trace}/{span}" for _, trace, span in found), patches, aside

        found = asyncio.run(stored())
        problems = []
        for name, have, want in zip(("spans", "patches"), found[:2], (spans, patches), strict=True):
            if have != want:
                lost, more = len(set(want) - set(have)), len(have) - len(set(have) & set(want))
                problems.append(f"{lost} {name} lost, {more} too many, of {len(want)}")
        if found[2] != bad:
            problems.append(f"{found[2]} put aside, not {bad}")
        return "; ".join(problems)


class Backend:
    """A backend process; its port is known once it answers."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        self._url: str | None = None

    @property
    def url(self) -> str:
        deadline = time.monotonic() + HANG
        while self._url is None:
            assert time.monotonic() < deadline, self._tail()
            assert self.process.poll() is None, self._tail()
            if found := re.search(r"answers on 127\.0\.0\.1:(\d+)", self._tail()):
                self._url = f"http://127.0.0.1:{found[1]}"
            time.sleep(0.01)
        return self._url

    def _tail(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> Any:
        """JSON of any answer, errors too."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=HANG) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())

    def hand_over(self, to: str) -> None:
        body = json.dumps({"to": to}).encode()
        request = urllib.request.Request(
            f"{self.url}/admin/handover", body, {"Authorization": f"Bearer {TOKEN}"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=HANG):
            pass

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=HANG) as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else float("nan")

    def until(self, done: Callable[[Backend], bool]) -> None:
        deadline = time.monotonic() + HANG
        while not done(self):
            assert time.monotonic() < deadline, f"{self.get('/health')}\n{self._tail()[-3000:]}"
            time.sleep(0.02)

    def drained(self) -> None:
        polls = self.metric("backend_ingest_polls_total")
        self.until(
            lambda now: (
                now.metric("backend_ingest_polls_total") > polls + 2 and now.metric("backend_ingest_lag_seconds") == 0
            )
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(HANG)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(HANG) == 0, self._tail()[-3000:]


def kill_again_and_again(flow: Flow, rounds: int, seed: int) -> str:
    """Kill the backend at random points of its life while spans flow, now and then the ingestion service, or in the
    middle of a hand-over; what is wrong at the end, and figures."""
    chance = random.Random(seed)
    for number in range(rounds):
        backend = flow.backend()
        if chance.random() < 0.4:  # at its start, or soon after
            time.sleep(chance.uniform(0.1, 1.5))
        else:
            backend.until(lambda now: now.metric("backend_ingest_spans_total") > 0)
            if number % 2:
                backend.hand_over("follower")
                time.sleep(chance.uniform(0, 0.2))
                if number % 4 == 3:
                    backend.until(lambda now: now.get("/health")["details"]["duckdb"].get("handover") is None)
                    backend.hand_over("owner")
            time.sleep(chance.uniform(0, 0.4))
        if number % 5 == 2:
            flow.kill_ingestion()
            flow.start_ingestion()
        backend.kill()
    flow.stop_sending()
    last = flow.backend(CUTOVER_DUCKDB_ROLE="owner")
    last.drained()
    last.stop()
    print(f"{rounds} kills, {len(flow.sent)} entries, seed {seed}")
    return flow.missing_or_doubled()

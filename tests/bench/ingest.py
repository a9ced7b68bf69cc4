"""Spans indexed a second, and what reads feel of it: the real backend beside the stand-in ingestion service.

A reader asks for the newest roots of a service at a steady pace, first with nothing to index, then while a backlog is
worked off, then while spans come at half the speed that the backlog had.
"""

from __future__ import annotations

import http.client
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from backend.ingest.stored import Stored
from tests.backend.processes import environment
from tests.contract.steps import Record
from tests.standins.spanlog import append
from tests.standins.spans import Source

from .context import Bench
from .processes import free_port
from .report import Outcome, number
from .upstream import Upstream

_ROOT = Path(__file__).parents[2]
_PATH = "/otel/service/shop/root-spans"
#: Spans that are there before, and in the backlog.
SEED, BACKLOG = 5_000, 30_000
#: Seconds between two reads, of a quiet measurement, of the flow.
PACE, QUIET, FLOW = 0.02, 6.0, 6.0


def run_ingest(bench: Bench, upstream: Upstream) -> Outcome:
    source = Source().entries()
    log = bench.folder / "ingest.jsonl"
    append(log, islice(source, SEED))
    backlog = list(islice(source, BACKLOG))
    with bench.only_inside():
        port = _start(bench, log)
        _until_stored(port, SEED)
        with _reading(port) as idle:
            time.sleep(QUIET)
        started, cpu = time.monotonic(), _metric(port, "process_cpu_seconds_total")
        append(log, backlog)
        with _reading(port) as busy:
            _until_stored(port, SEED + BACKLOG)
            rate = BACKLOG / (time.monotonic() - started)
            cpu = (_metric(port, "process_cpu_seconds_total") - cpu) / BACKLOG
        with _reading(port) as flowing:
            _flow(log, source, rate / 2)
        behind = time.monotonic()
        _until_drained(port)
        behind = time.monotonic() - behind
    head = ("", "spans/s", "reads", "p50 ms", "p99 ms", "p99 ÷ idle")
    reads = (("nothing to index", 0.0, idle), ("backlog", rate, busy), ("half of that comes", rate / 2, flowing))
    rows: list[tuple[str, ...]] = [
        (
            name,
            number(spans, 0),
            str(len(took)),
            number(_at(took, 0.5) * 1e3),
            number(_at(took, 0.99) * 1e3),
            number(_at(took, 0.99) / _at(idle, 0.99)),
        )
        for name, spans, took in reads
    ]
    outcome = Outcome("ingest", f"Indexing {BACKLOG:,} spans beside reads, one each {PACE * 1e3:g} ms", head, rows)
    outcome.figures = {
        "ingest.rate": rate,
        "ingest.p99": _at(busy, 0.99) / _at(idle, 0.99),
        "ingest.flow_p99": _at(flowing, 0.99) / _at(idle, 0.99),
        "ingest.drained_s": behind,
        "ingest.cpu_us": cpu * 1e6,
    }
    outcome.notes.append(f"batches from 100 on; {cpu * 1e6:.0f} µs of the backend's CPU a span, reads too")
    outcome.notes.append(f"lag back at 0 within {behind:.2f} s of the last span")
    return outcome


def _start(bench: Bench, log: Path) -> int:
    """The HTTP port of a backend beside an ingestion service; both on all cores, as they are in the product."""
    cores, path = bench.cores.everything, {"PYTHONPATH": str(_ROOT)}
    ingestion, port = free_port(), free_port()
    service = [sys.executable, "-m", "tests.standins.ingestion", "--port", str(ingestion), "--log", str(log)]
    bench.start("ingestion", service, port=ingestion, cores=cores, env=path)
    settings = environment(
        bench.folder / "ingest",
        {
            "JUNJO_SESSION_SECRET": Record.load().secret,
            "INGESTION_GRPC_ADDRESS": f"127.0.0.1:{ingestion}",
            "SPAN_POLL_INTERVAL": "0.5",
        },
    )
    backend = [sys.executable, "-m", "backend", "--host", "127.0.0.1", "--port", str(port)]
    bench.start("backend", backend, port=port, cores=cores, env=settings | path)
    return port


@contextmanager
def _reading(port: int) -> Iterator[list[float]]:
    """Seconds that each read took, one started each `PACE`, or as soon as the one before is done."""
    took: list[float] = []
    over = threading.Event()
    headers = {"Cookie": f"session={Record.load().sessions()['made_here']}"}

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        due = time.perf_counter()
        while not over.wait(max(0.0, due - time.perf_counter())):
            started = time.perf_counter()
            connection.request("GET", _PATH, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{_PATH} is answered {answer.status}")
            took.append(time.perf_counter() - started)
            due = max(due + PACE, time.perf_counter())
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield took
    finally:
        over.set()
        reader.join()


def _flow(log: Path, source: Iterator[Stored], rate: float) -> None:
    entries = list(islice(source, int(rate * FLOW)))  # made before: the source takes a core
    started, sent = time.monotonic(), 0
    while sent < len(entries):
        due = int((time.monotonic() - started) * rate)
        append(log, entries[sent:due])
        sent = max(sent, due)
        time.sleep(PACE)


def _metric(port: int, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    found = re.search(rf"^{name} (\S+)$", connection.getresponse().read().decode(), re.MULTILINE)
    connection.close()
    return float(found[1]) if found else float("nan")


def _until_stored(port: int, spans: int) -> None:
    while _metric(port, "backend_ingest_spans_total") < spans:
        time.sleep(0.1)


def _until_drained(port: int) -> None:
    while _metric(port, "backend_ingest_lag_seconds") != 0:
        time.sleep(0.02)


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]

"""The backend's answers, beside a bare Starlette route with the same bytes; for spans, also the query alone."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import urllib.request
from pathlib import Path

from backend.duck import Duck
from tests.backend.processes import environment
from tests.backend.spanrows import START, insert, span
from tests.contract.steps import Record

from .compare import interleave
from .context import Bench
from .load import Load
from .machine import worker_rss
from .peers import Peer
from .processes import Process, free_port
from .report import Outcome, comparison, number
from .upstream import Upstream

_ROOT = Path(__file__).parents[2]
_TRACE = "b" * 32
_QUERIES = 20
#: Scenario → title, path, statement (None: no spans are asked for), its parameters, connections.
CASES: dict[str, tuple[str, str, str | None, dict[str, str], int]] = {
    "ping": ("/ping", "/ping", None, {}, 32),
    "auth-test": ("/auth-test, signed in", "/auth-test", None, {}, 32),
    "nested-spans": (
        "nested-spans of 4,000 spans, 3 MB",
        f"/otel/trace/{_TRACE}/nested-spans",
        "trace_spans",
        {"trace": _TRACE},
        4,
    ),
    "root-spans": ("root-spans, 16 rows", "/otel/service/few/root-spans", "root_spans", {"service": "few"}, 8),
}


def run_spans(bench: Bench, upstream: Upstream, name: str) -> Outcome:
    title, path, statement, params, connections = CASES[name]
    record = Record.load()
    cookie = f"session={record.sessions()['made_here']}"
    folder = bench.folder / name
    file = folder / "duckdb" / "otel_data.db"
    alone = asyncio.run(_seeded(file, statement, params)) if statement else None
    with bench.only_inside():
        settings = environment(folder, {"JUNJO_SESSION_SECRET": record.secret})
        port = free_port()
        command = [sys.executable, "-m", "backend", "--host", "127.0.0.1", "--port", str(port)]
        started = time.monotonic()
        backend = bench.start("backend", command, port=port, cores=bench.cores.proxy, env=settings | _python_path())
        body = _get(f"http://127.0.0.1:{port}{path}", cookie)
        start_seconds, rss = time.monotonic() - started, worker_rss(backend.pid)
        same = folder / "same"
        same.write_bytes(body)
        peers = {
            "cutover": Peer("cutover", backend, port, secure=False),
            "bare": _bare(bench, same),
        }
        os.environ["BENCH_COOKIE"] = cookie
        load = Load("session", path, connections)
        samples = interleave(bench, peers, load, min(3, bench.options.rounds), upstream)
    outcome = comparison(name, title, samples, {"cutover": "cutover backend", "bare": "bare Starlette, same bytes"})
    outcome.figures[f"{name}.start_s"] = start_seconds
    outcome.figures[f"{name}.rss"] = rss / 1e6
    outcome.notes.append(f"start to first answer {start_seconds:.2f} s, RSS then {rss / 1e6:.0f} MB")
    if alone is not None:
        outcome.figures[f"{name}.query_ms"] = alone * 1e3
        outcome.notes.append(f"the query alone: {alone * 1e3:.1f} ms for {number(len(body), 0)} bytes")
    return outcome


def _bare(bench: Bench, same: Path) -> Peer:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.bench.same_bytes:app", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command += ["--log-level", "warning"]
    process: Process = bench.start(
        "bare", command, port=port, cores=bench.cores.proxy, env={"SAME_BYTES": str(same)} | _python_path()
    )
    return Peer("bare", process, port, secure=False)


async def _seeded(file: Path, statement: str, params: dict[str, str]) -> float:
    """Fill a file; the seconds that the query takes, at best."""
    text = '{"llm.model_name":"gpt-4o","openinference.span.kind":"LLM","output.value":"%s"}' % ("a b é " * 30)
    spans = [
        span(number, trace_id=_TRACE, parent_span_id="1", attributes_json=text, start_time=START + number)
        for number in range(4000)
    ]
    roots = [span(number, trace_id=f"{number:032x}", service_name="few", attributes_json=text) for number in range(16)]
    async with Duck() as duck:
        await duck.open(file)
        await insert(duck, [*spans, *roots])
        best = float("inf")
        for _ in range(_QUERIES):
            started = time.perf_counter()
            await duck.read(statement, params)
            best = min(best, time.perf_counter() - started)
        return best


def _get(url: str, cookie: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Cookie": cookie}), timeout=10) as answer:
        body: bytes = answer.read()
        return body


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": str(_ROOT)}

"""What must not lose or double a span: kills, garbage, a full disk, two owners; each with real processes."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from tests.backend.faults.flow import HANG, Flow, kill_again_and_again
from tests.backend.go_duckdb import install

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_killed_again_and_again(tmp_path: Path) -> None:
    with Flow(tmp_path) as flow:
        assert not kill_again_and_again(flow, rounds=5, seed=1)


def test_a_full_disk_and_then_room_again(tmp_path: Path) -> None:
    """A limit on the size of files is what a process sees of a full disk."""

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))

    with Flow(tmp_path, rate=1000) as flow:
        backend = flow.backend(small_files)
        backend.until(lambda now: now.get("/health")["services"]["poller"] == "degraded")
        assert backend.get("/health")["details"]["poller"]["reason"] == "polls fail: database"
        assert backend.get("/health")["services"]["duckdb"] == "ok"
        stored = backend.metric("backend_ingest_spans_total")
        assert stored > 0
        backend.stop()
        flow.stop_sending()
        backend = flow.backend()
        backend.drained()
        backend.stop()
        assert not flow.missing_or_doubled()


def test_two_that_are_to_own_at_once(tmp_path: Path) -> None:
    with Flow(tmp_path) as flow:
        first, second = (
            flow.backend(
                CUTOVER_DUCKDB_ROLE="follower", CUTOVER_DUCKDB_REPLICA_PATH=str(tmp_path / name / "otel_data.db")
            )
            for name in ("a", "b")
        )
        for backend in (first, second):
            backend.until(lambda now: now.metric("backend_ingest_spans_total") > 100)
        for backend in (first, second):
            backend.hand_over("owner")
        deadline = time.monotonic() + HANG
        while any(backend.get("/health")["details"]["duckdb"].get("handover") for backend in (first, second)):
            assert time.monotonic() < deadline
        found = [backend.get("/health")["details"]["duckdb"] for backend in (first, second)]
        assert sorted(details["role"] for details in found) == ["follower", "owner"]
        owner = (first, second)[[details["role"] for details in found].index("owner")]
        follower = second if owner is first else first
        assert f"process {owner.process.pid}" in str(follower.get("/health")["details"]["duckdb"]["held_by"])
        flow.stop_sending()
        owner.drained()
        follower.drained()
        owner.stop()
        assert not flow.missing_or_doubled()


def test_a_killed_backends_file_goes_to_duckdb_1_1_3_and_back(tmp_path: Path) -> None:
    go = install()
    if isinstance(go, str):
        pytest.skip(go)
    count = "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM state_patches)"
    with Flow(tmp_path) as flow:
        backend = flow.backend()
        backend.until(lambda now: now.metric("backend_ingest_spans_total") > 1000)
        flow.stop_sending()
        backend.drained()
        backend.kill()
        ((spans, patches),) = go.run(flow.file(), count)
        insert = (
            "INSERT INTO spans (trace_id, span_id, service_name, start_time, end_time) "
            "SELECT 'go', 'go' || x, 'shop', make_timestamptz(x), make_timestamptz(x) FROM range(100) AS t(x)"
        )
        go.run(flow.file(), insert, killed=True)
        backend = flow.backend()
        backend.drained()
        backend.kill()
        assert go.run(flow.file(), count) == [[spans + 100, patches]]
        go.run(flow.file(), "DELETE FROM spans WHERE trace_id = 'go'")
        assert not flow.missing_or_doubled()

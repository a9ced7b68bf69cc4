"""What holds for every operation: error shapes, media types, sizes, headers, and the pages that need no token."""

from __future__ import annotations

import httpx
import pytest

from router.admin.operation import BODY_MAX
from router.control import Control
from router.store import Store
from router.table import STABLE, Table
from tests.router.admin.conftest import Readiness

WEIGHT = "/api/v1/weight"


async def test_404(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {"code": "not_found", "message": "there is no /api/v1/nothing; /openapi.json lists what there is"}
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", WEIGHT, {"GET", "HEAD", "PUT"}),
        ("DELETE", "/api/v1/status", {"GET", "HEAD"}),
        ("OPTIONS", "/", {"GET", "HEAD"}),
    ],
)
async def test_405(operator: httpx.AsyncClient, method: str, path: str, allowed: set[str]) -> None:
    answer = await operator.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_415(operator: httpx.AsyncClient, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await operator.put(WEIGHT, content=b'{"percent":1,"reason":"r"}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_charset_is_fine(operator: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = await operator.put(WEIGHT, content=b'{"percent":1,"reason":"r"}', headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b'{"percent":1,}', b"\xff", b"[" * 100_000])
async def test_400(operator: httpx.AsyncClient, body: bytes) -> None:
    answer = await operator.put(WEIGHT, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


async def test_413(operator: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await operator.put(WEIGHT, content=b" " * (BODY_MAX + 1), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_500_tells_nothing(
    operator: httpx.AsyncClient, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(control, "status", broken)
    answer = await operator.get("/api/v1/status")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/openapi.json", "/api/v1/status", "/nothing"])
async def test_every_answer_has_the_headers(operator: httpx.AsyncClient, path: str) -> None:
    headers = (await operator.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")


async def test_status(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/status")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert answer.json()["arms"]["canary"]["endpoints"][0]["up"] is True
    assert (await viewer.head("/api/v1/status")).status_code == 200


class TestAudit:
    async def test_pages(self, operator: httpx.AsyncClient) -> None:
        for percent in range(1, 6):
            await operator.put(WEIGHT, json={"percent": percent, "reason": "r"})
        first = (await operator.get("/api/v1/audit", params={"limit": 3})).json()
        second = (await operator.get("/api/v1/audit", params={"limit": 3, "before": first["next"]})).json()
        assert [row["after"]["percent"] for row in first["rows"] + second["rows"]] == [5, 4, 3, 2, 1]
        assert (first["next"], second["next"]) == (3, None)

    @pytest.mark.parametrize(
        ("query", "field"),
        [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("before=0", "before"), ("a=1", "a")],
    )
    async def test_422(self, viewer: httpx.AsyncClient, query: str, field: str) -> None:
        answer = await viewer.get(f"/api/v1/audit?{query}")
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, [field])

    async def test_verification(self, viewer: httpx.AsyncClient, store: Store) -> None:
        path = "/api/v1/audit/verification"
        assert (await viewer.get(path)).json() == {"intact": True, "rows": 0, "problem": ""}
        await store._connection.execute("INSERT INTO audit VALUES (2, '', '', '', '', '1', '1', '', '')")
        assert (await viewer.get(path)).json()["problem"] == "row 1 is missing; row 2 comes next"

    async def test_503(self, viewer: httpx.AsyncClient, store: Store) -> None:
        await store._connection.execute("ALTER TABLE audit RENAME TO gone")
        answer = await viewer.get("/api/v1/audit")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store")


class TestProbes:
    async def test_alive_whatever_happens(self, anyone: httpx.AsyncClient, readiness: Readiness) -> None:
        readiness.reason = "draining"
        assert (await anyone.get("/healthz")).json() == {"status": "ok"}

    async def test_ready(self, anyone: httpx.AsyncClient, readiness: Readiness, table: Table) -> None:
        assert (await anyone.get("/readyz")).status_code == 200
        readiness.reason = "workers are starting"
        answer = await anyone.get("/readyz")
        assert (answer.status_code, answer.json()["error"]) == (
            503,
            {"code": "not_ready", "message": "workers are starting"},
        )
        readiness.reason = ""
        table.set_up(STABLE, [False])
        assert (await anyone.get("/readyz")).json()["error"]["message"] == "no stable endpoint is up"


async def test_the_page_at_the_root(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "cutover" in answer.text
    assert "<script" not in answer.text


async def test_metrics(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "cutover_weight_ratio 0.0" in answer.text

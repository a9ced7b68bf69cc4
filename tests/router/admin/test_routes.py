"""PUT and GET /api/v1/routes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from router.control import Control

PATH = "/api/v1/routes"


async def test_routes_are_replaced_as_a_whole(operator: httpx.AsyncClient, control: Control) -> None:
    answer = await operator.put(PATH, json={"routes": [{"path": "/a/*", "pin": "canary"}], "reason": "r"})
    assert (answer.status_code, answer.headers["etag"], answer.json()["revision"]) == (200, '"2"', 2)
    assert answer.json()["routes"][0]["pin"] == "canary"
    got = await operator.get(PATH)
    assert (got.json(), got.headers["etag"]) == (answer.json(), '"2"')
    await operator.put(PATH, json={"routes": [], "reason": "r"})
    assert control.routes == ()
    assert [row.action for row in await control.audit(5)] == ["routes", "routes"]


async def test_what_was_read_can_be_written(operator: httpx.AsyncClient) -> None:
    routes = [{"path": "/a/*", "methods": ["GET"], "percent": 2.5, "first_byte": "2m", "name": "a"}]
    first = (await operator.put(PATH, json={"routes": routes, "reason": "r"})).json()["routes"]
    second = (await operator.put(PATH, json={"routes": first, "reason": "r"})).json()["routes"]
    assert first == second


@pytest.mark.parametrize(
    ("routes", "field"),
    [
        ([{"path": "a"}], "routes.0.path"),
        ([{"path": "/"}, {}], "routes.1.path"),
        ([{"path": "/", "pin": "blue"}], "routes.0.pin"),
        ([{"path": "/", "percent": 101}], "routes.0.percent"),
        ([{"path": "/", "colour": 1}], "routes.0.colour"),
        ([{"path": "/"}] * 65, "routes"),
        ({}, "routes"),
    ],
)
async def test_what_is_wrong_is_named(operator: httpx.AsyncClient, control: Control, routes: Any, field: str) -> None:
    answer = await operator.put(PATH, json={"routes": routes, "reason": "r"})
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, [field])
    assert control.revision == 1


async def test_the_body_is_bounded(operator: httpx.AsyncClient) -> None:
    answer = await operator.put(PATH, json={"routes": [{"path": "/", "methods": ["x" * 70_000]}], "reason": "r"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert "64 KiB" in answer.json()["error"]["message"]


async def test_if_match(operator: httpx.AsyncClient) -> None:
    body = {"routes": [], "reason": "r"}
    statuses = [(await operator.put(PATH, json=body, headers={"If-Match": '"1"'})).status_code for _ in range(2)]
    assert statuses == [200, 412]

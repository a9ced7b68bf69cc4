"""The document agrees with the app: every operation is in it, every reference resolves, answers fit their schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from router.admin.openapi import document
from router.admin.operations import operations


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    return document(operations(open_metrics=True))


def _references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for value in tree.values():
            yield from _references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value)


def test_every_operation_is_described(tree: dict[str, Any]) -> None:
    described = {(path, method.upper()) for path, methods in tree["paths"].items() for method in methods}
    assert described == {(operation.path, operation.method) for operation in operations(open_metrics=True)}
    ids = [operation["operationId"] for methods in tree["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert tree["openapi"].startswith("3.1.")


def test_every_reference_resolves(tree: dict[str, Any]) -> None:
    schemas = tree["components"]["schemas"]
    references = set(_references(tree))
    assert references
    assert {reference.removeprefix("#/components/schemas/") for reference in references} == set(schemas)


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/api/v1/status", "get", "200 401 429 500"),
        ("/api/v1/weight", "put", "200 400 401 403 409 412 413 415 422 429 500 503"),
        ("/api/v1/routes", "put", "200 400 401 403 412 413 415 422 429 500 503"),
        ("/api/v1/audit", "get", "200 401 422 429 500 503"),
        ("/healthz", "get", "200 500"),
        ("/readyz", "get", "200 500 503"),
    ],
)
def test_statuses(tree: dict[str, Any], path: str, method: str, statuses: str) -> None:
    assert sorted(tree["paths"][path][method]["responses"]) == statuses.split()


def test_security_follows_the_roles(tree: dict[str, Any]) -> None:
    open_paths = {path for path, methods in tree["paths"].items() if "security" not in next(iter(methods.values()))}
    assert open_paths == {"/", "/openapi.json", "/metrics", "/healthz", "/readyz"}
    closed = document(operations(open_metrics=False))["paths"]
    assert "security" in closed["/metrics"]["get"]


def test_what_a_body_takes_is_in_its_schema(tree: dict[str, Any]) -> None:
    weight = tree["components"]["schemas"]["WeightChange"]
    assert weight["required"] == ["percent", "reason"]
    percent = weight["properties"]["percent"]
    assert (percent["minimum"], percent["maximum"], percent["multipleOf"]) == (0, 100, 0.01)
    assert weight["properties"]["reason"]["maxLength"] == 500
    parameters = {parameter["name"]: parameter for parameter in tree["paths"]["/api/v1/audit"]["get"]["parameters"]}
    assert set(parameters) == {"limit", "before"}
    assert tree["paths"]["/api/v1/weight"]["put"]["parameters"][0]["name"] == "If-Match"


async def test_the_app_serves_it(anyone: httpx.AsyncClient, tree: dict[str, Any]) -> None:
    assert (await anyone.get("/openapi.json")).json() == tree


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/weight", "/api/v1/routes", "/api/v1/audit"])
async def test_answers_have_exactly_the_described_fields(
    operator: httpx.AsyncClient, tree: dict[str, Any], path: str
) -> None:
    await operator.put("/api/v1/weight", json={"percent": 1, "reason": "r"})
    answer = (await operator.get(path)).json()
    content = tree["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    schema = tree["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    assert set(answer) == set(schema["properties"])

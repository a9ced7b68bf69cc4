"""Routing beside Echo 4.13.3's answers for the product's own routes (routes_golden.json)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.routing import Route

from backend.web import answer
from backend.web.routes import Routes, target

#: [method, path as sent, route, its parameters], or [method, path, 404 or 405, Allow]
GOLDEN = json.loads(Path(__file__).with_name("routes_golden.json").read_text())

TABLE = """
GET /ping | GET /csrf | GET /auth-test | POST /sign-in | POST /sign-out | GET /users | POST /users | DELETE /users/{id}
GET /users/db-has-users | POST /users/create-first-user | GET /api_keys | POST /api_keys | DELETE /api_keys/{key}
GET /otel/span-service-names | GET /otel/service/{s}/root-spans | GET /otel/service/{s}/root-spans-filtered
GET /otel/trace/{t}/nested-spans | GET /otel/trace/{t}/span/{id} | GET /otel/spans/type/workflow/{s}
POST /llm/openai/generate | POST /llm/anthropic/generate | POST /llm/gemini/generate | GET /llm/models
GET /llm/providers/{p}/models | POST /llm/providers/{p}/models/refresh
"""


async def handler(request: Request) -> answer.Answer:
    return answer.no_content()


ROUTES = Routes(
    Route(path, handler, methods=[method])
    for method, path in (each.split() for each in re.split(r"[|\n]", TABLE) if each.strip())
)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case[0]} {case[1]}")
def test_as_echo(case: list[Any]) -> None:
    method, sent, expected, more = case
    path = target(sent.encode())
    assert path is not None
    found = ROUTES.find(method, path)
    if isinstance(expected, int):
        assert found.handler is None
        assert (405 if found.allow else 404, found.allow) == (expected, more)
    else:
        assert re.sub(r"\{(\w+)\}", r":\1", found.path) == expected
        assert found.params == more


@pytest.mark.parametrize("raw", [b"/%", b"/%2", b"/%zz", b"/a%2g"])
def test_a_broken_escape_has_no_target(raw: bytes) -> None:
    assert target(raw) is None


def test_bytes_that_are_no_utf_8() -> None:
    assert target(b"/%FF") == "/\ufffd"
    assert target(b"/\xff") == "/\ufffd"


@given(st.sampled_from(["GET", "DELETE", "HEAD"]), st.lists(st.sampled_from("/%2FfaÜ .;:") | st.text()).map("".join))
def test_any_path_is_found_or_not(method: str, text: str) -> None:
    path = target(f"/users/{text}".encode(errors="replace"))
    if path is not None:
        found = ROUTES.find(method, path)
        assert (found.handler is not None) == (method == "DELETE" and path != "/users/")

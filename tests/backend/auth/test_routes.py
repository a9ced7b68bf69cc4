"""Signing in and out of a real process, on the database that the Go backend left."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.auth.cookie import LIFETIME, SessionCookie
from backend.passwords import MAX_WAITING
from tests.backend.processes import HANG, SECRET, BackendProcess, running_backend

DATABASE = Path(__file__).parents[2] / "contract" / "record" / "app_data.db"
#: A user whom the Go backend created, and whose hash begins with $2a$.
GO_USER = {"email": "prod@example.com", "password": "pw"}
TOKEN = "QMvADavPHTdFsLkHhNdRjGExTKVtoIqe"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    folder = tmp_path_factory.mktemp("go")
    (folder / "sqlite").mkdir()
    shutil.copy(DATABASE, folder / "sqlite" / "app_data.db")
    with running_backend(folder, JUNJO_ENV="production", JUNJO_PROD_AUTH_DOMAIN="example.com") as running:
        yield running


def sign_in(backend: BackendProcess, fields: dict[str, str], cookie: str = "") -> httpx.Response:
    return httpx.post(f"{backend.url}/sign-in", json=fields, headers={"cookie": cookie} if cookie else {})


def attributes(line: str) -> tuple[str, list[str]]:
    """Value of a Set-Cookie line, and its attributes without the date."""
    value, *rest = line.split("; ")
    return value.partition("=")[2], [part for part in rest if not part.startswith("Expires=")]


def test_a_user_of_the_go_backend_signs_in(backend: BackendProcess) -> None:
    answer = sign_in(backend, GO_USER)
    assert (answer.status_code, answer.json()) == (200, {"message": "signed in"})
    (line,) = answer.headers.get_list("set-cookie")
    value, rest = attributes(line)
    assert rest == ["Path=/", "Domain=example.com", "Max-Age=2592000", "HttpOnly", "Secure", "SameSite=Strict"]
    assert SessionCookie(SECRET).open(value, int(time.time())) == GO_USER["email"]
    test = httpx.get(f"{backend.url}/auth-test", headers={"cookie": f"session={value}"})
    assert test.json() == {"userEmail": GO_USER["email"]}


@pytest.mark.parametrize(
    "fields",
    [
        {**GO_USER, "password": "wrong"},
        {**GO_USER, "email": "PROD@example.com"},
        {**GO_USER, "password": "pw\0"},
        {"email": "nobody@example.com", "password": "pw"},
        {"email": "nobody@example.com", "password": "x" * 200_000},
    ],
)
def test_wrong_credentials(backend: BackendProcess, fields: dict[str, str]) -> None:
    answer = sign_in(backend, fields)
    assert (answer.status_code, answer.json()) == (401, {"message": "invalid credentials"})
    assert "set-cookie" not in answer.headers


def test_an_unknown_user_takes_as_long_as_a_wrong_password(backend: BackendProcess) -> None:
    """One hash each; without it the unknown one would take a tenth."""

    def fastest(email: str) -> float:
        def once() -> float:
            started = time.perf_counter()
            sign_in(backend, {"email": email, "password": "wrong"})
            return time.perf_counter() - started

        return min(once() for _ in range(5))

    assert fastest("nobody@example.com") > fastest(GO_USER["email"]) / 2


def test_a_session_that_cannot_be_read_stands_in_the_way(backend: BackendProcess) -> None:
    expired = SessionCookie(SECRET).seal("a@b.cd", int(time.time()) - LIFETIME - 60)
    for value in ("garbage", expired):
        answer = sign_in(backend, GO_USER, f"session={value}")
        assert (answer.status_code, answer.json()) == (500, {"message": "failed to get session"})
    good = SessionCookie(SECRET).seal("someone@else.de", int(time.time()))
    assert sign_in(backend, GO_USER, f"session={good}").status_code == 200


def test_sign_out_clears_both_cookies(backend: BackendProcess) -> None:
    """Wanted difference: Go clears only the cookie of the host, and the one of the domain stays."""
    session = SessionCookie(SECRET).seal("a@b.cd", int(time.time()))
    answer = httpx.post(f"{backend.url}/sign-out", headers={"cookie": f"session={session}; csrf={TOKEN}"})
    assert (answer.status_code, answer.json()) == (200, {"message": "signed out"})
    lines = [line for line in answer.headers.get_list("set-cookie") if line.startswith("session=")]
    assert all("Expires=Thu, 01 Jan 1970 00:00:01 GMT" in line for line in lines)
    (value, host), (gone, domain) = map(attributes, lines)
    assert SessionCookie(SECRET).open(value, int(time.time())) == "a@b.cd"
    assert host == ["Path=/", "Max-Age=0", "Secure", "SameSite=None"]
    assert (gone, domain[:2]) == ("", ["Path=/", "Domain=example.com"])


def test_in_development_no_domain_is_named(backend_process: BackendProcess) -> None:
    session = SessionCookie(SECRET).seal("a@b.cd", int(time.time()))
    answer = httpx.post(f"{backend_process.url}/sign-out", headers={"cookie": f"session={session}; csrf={TOKEN}"})
    assert len(answer.headers.get_list("set-cookie")) == 2
    assert "Domain" not in str(answer.headers)


@pytest.mark.slow
async def test_a_flood_of_sign_ins_starves_nobody_else(backend: BackendProcess) -> None:
    """More than may wait are told to come again, and a ping meanwhile doesn't wait for any hash."""
    async with httpx.AsyncClient(base_url=backend.url, timeout=HANG, limits=httpx.Limits()) as client:
        flood = [
            asyncio.ensure_future(client.post("/sign-in", json={**GO_USER, "password": "wrong"}))
            for _ in range(2 * MAX_WAITING)
        ]
        pings = []
        while not all(each.done() for each in flood):
            started = time.perf_counter()
            await client.get("/ping")
            pings.append(time.perf_counter() - started)
        answers = [each.result() for each in flood]
    assert {each.status_code for each in answers} == {401, 503}
    assert all(each.headers["retry-after"] == "2" for each in answers if each.status_code == 503)
    assert sorted(pings)[len(pings) // 2] < 0.1

"""Tokens: who may do what, how guessing is slowed down, and where the made token lies."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import httpx
import pytest

from router.admin.app import create_app
from router.admin.auth import BURST, PEERS_MAX, RECORD_EVERY, Brake, Role, Tokens, bearer, kept_token, tokens
from router.control import Control
from router.errors import ConfigError
from router.rollout.driver import Rollouts
from router.store import Store
from tests.router.admin.conftest import OPERATOR, VIEWER, Clients
from tests.router.fakes import FakeClock, make_settings

STATUS, WEIGHT, CHANGE = "/api/v1/status", "/api/v1/weight", {"percent": 1, "reason": "r"}


@pytest.mark.parametrize(
    ("token", "role"),
    [
        ("o", Role.OPERATOR),
        ("v", Role.VIEWER),
        ("", Role.ANYONE),
        ("O", Role.ANYONE),
        ("ov", Role.ANYONE),
        ("\xff", Role.ANYONE),
    ],
)
def test_roles(token: str, role: Role) -> None:
    assert Tokens("o", "v").role(token) is role


def test_an_empty_token_matches_nothing() -> None:
    assert Tokens("o", "").role("") is Role.ANYONE


@pytest.mark.parametrize(
    ("field", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER  abc ", "abc"),
        ("Basic abc", None),
        ("abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
    ],
)
def test_the_scheme_is_case_insensitive(field: str, token: str | None) -> None:
    assert bearer(field) == token


@pytest.mark.parametrize("authorization", [None, "Basic b3A6eA==", "Bearer wrong", "Bearer", f"Token {OPERATOR}"])
async def test_401(anyone: httpx.AsyncClient, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = await anyone.put(WEIGHT, json=CHANGE, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="cutover"'


async def test_a_viewer_reads_and_does_not_write(viewer: httpx.AsyncClient, control: Control) -> None:
    assert (await viewer.get(STATUS)).status_code == 200
    answer = await viewer.put(WEIGHT, json=CHANGE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert control.revision == 1


async def test_the_role_is_checked_before_the_body(viewer: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    assert [(await who.put(WEIGHT, content=b"{")).status_code for who in (viewer, anyone)] == [403, 401]


async def test_guessing_is_slowed_down(client: Clients, clock: FakeClock) -> None:
    guesser, honest = client("wrong"), client()
    statuses = [(await guesser.get(STATUS)).status_code for _ in range(BURST + 1)]
    assert statuses == [401] * BURST + [429]
    answer = await honest.get(STATUS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests"), "a guess could be right"
    assert int(answer.headers["retry-after"]) >= 1
    assert (await client(address="10.0.0.10").get(STATUS)).status_code == 200, "others aren't held up"
    clock.advance(1)
    assert (await honest.get(STATUS)).status_code == 200


async def test_failures_are_on_record_without_the_token(client: Clients, control: Control, clock: FakeClock) -> None:
    guesser = client("s3cret-guess")
    for _ in range(3):
        await guesser.get(STATUS)
    clock.advance(RECORD_EVERY)
    await guesser.get(STATUS)
    rows = await control.audit(10)
    assert [(row.actor, row.action, row.after) for row in rows] == [
        ("10.0.0.9", "denied", '{"attempts":3}'),
        ("10.0.0.9", "denied", '{"attempts":1}'),
    ]
    assert "s3cret" not in repr(rows)


async def test_no_token_is_no_guess(anyone: httpx.AsyncClient, control: Control) -> None:
    for _ in range(BURST + 1):
        assert (await anyone.get(STATUS)).status_code == 401
    assert await control.audit(1) == []


async def test_a_failing_store_does_not_change_the_answer(client: Clients, store: Store) -> None:
    await store._connection.execute("PRAGMA query_only = ON")
    assert (await client("wrong").get(STATUS)).status_code == 401


def test_peers_are_bounded_and_networks_are_one_peer(clock: FakeClock) -> None:
    brake = Brake(clock.monotonic)
    for _ in range(BURST):
        brake.failed("2001:db8::1")
    assert brake.wait("2001:db8::ffff") > 0
    assert brake.wait("2001:db8:0:1::1") == 0
    for number in range(PEERS_MAX):
        brake.failed(f"10.0.{number // 256}.{number % 256}")
    assert brake.wait("2001:db8::1") == 0, "forgotten, there are too many"
    assert brake.wait("unknown") == 0


async def test_concurrent_starts_agree_on_one_token(tmp_path: Path) -> None:
    path = tmp_path / "x.token"
    found = await asyncio.gather(*(asyncio.to_thread(kept_token, path) for _ in range(8)))
    assert len(set(found)) == 1
    assert len(found[0]) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["x.token"]  # noqa: ASYNC240


def test_the_token_is_made_once_and_only_when_none_is_set(tmp_path: Path) -> None:
    assert tokens(make_settings(tmp_path, admin_token="mine", viewer_token="other")) == Tokens("mine", "other")
    assert not (tmp_path / "cutover.db.token").exists()
    made = tokens(make_settings(tmp_path)).operator
    assert tokens(make_settings(tmp_path)).operator == made
    assert (tmp_path / "cutover.db.token").read_text().strip() == made


@pytest.mark.parametrize(("content", "said"), [("", "is empty"), ("\xff\n", "codec")])
def test_a_spoilt_token_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x.token").write_text(content, "latin-1")
    with pytest.raises(ConfigError, match=said) as caught:
        kept_token(tmp_path / "x.token")
    assert "x.token" in str(caught.value)


def test_a_token_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_ADMIN_TOKEN"):
        kept_token(tmp_path / "none" / "x.token")


async def test_metrics_and_probes_are_open_unless_closed(
    anyone: httpx.AsyncClient, control: Control, rollouts: Rollouts, clock: FakeClock
) -> None:
    paths = ("/metrics", "/healthz", "/readyz")
    assert [(await anyone.get(path)).status_code for path in paths] == [200] * 3
    control.settings = control.settings.model_copy(update={"open_metrics": False})
    closed = create_app(control, rollouts, Tokens(OPERATOR, VIEWER), str, clock.monotonic)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(closed), base_url="http://router") as outside:
        assert [(await outside.get(path)).status_code for path in paths] == [401] * 3
        headers = {"Authorization": f"Bearer {VIEWER}"}
        assert [(await outside.get(path, headers=headers)).status_code for path in paths] == [200] * 3

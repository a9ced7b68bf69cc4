"""Users on a real database: what is answered, what is stored, and two first users at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.errors import HandlerError, RequestError
from backend.passwords import Passwords
from backend.sqlite import Sqlite
from backend.users.service import Users


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Users]:
    passwords = Passwords()
    async with Sqlite(tmp_path / "app.db") as sqlite:
        yield Users(sqlite, passwords)
    passwords.close()


async def test_the_first_user(users: Users) -> None:
    assert not await users.exist()
    await users.create_first("ada@example.com", "correct horse")
    assert await users.exist()
    with pytest.raises(HandlerError, match="Users already exist, cannot create first user") as raised:
        await users.create_first("b@example.com", "x")
    assert raised.value.status == 400


async def test_of_many_first_users_at_once_one_is_made(users: Users) -> None:
    made = await asyncio.gather(*(users.create_first(f"u{n}", "x") for n in range(8)), return_exceptions=True)
    assert [type(each) for each in made if each is not None] == [HandlerError] * 7
    assert len(await users.all()) == 1


async def test_users_are_listed_as_go_lists_them(users: Users, tmp_path: Path) -> None:
    """Newest second first, in the order they came within one."""
    for email in ("b", "a", "", "zoë@exämple.com", "nul\0nul"):
        await users.create(email, "")
    with sqlite3.connect(tmp_path / "app.db") as db:
        db.execute("UPDATE users SET created_at = '2026-11-23 06:16:28'")
        db.execute("UPDATE users SET created_at = '2026-11-23 06:16:29' WHERE email = ''")
    db.close()
    listed = await users.all()
    assert [each.email for each in listed] == ["", "b", "a", "zoë@exämple.com", "nul\0nul"]
    assert [each.id for each in listed] == [3, 1, 2, 4, 5]
    assert listed[0].created_at == "2026-11-23T06:16:29Z"


async def test_an_email_is_taken_once(users: Users) -> None:
    await users.create("a@example.com", "p")
    await users.create("A@example.com", "p")
    with pytest.raises(HandlerError, match="A user with this email already exists") as raised:
        await users.create("a@example.com", "q")
    assert raised.value.status == 409


async def test_the_password_is_looked_at_before_the_email(users: Users) -> None:
    await users.create("a", "p")
    with pytest.raises(HandlerError, match="Failed to hash password"):
        await users.create("a", "x" * 73)


@pytest.mark.parametrize("text", ["2", "+2", "02", "0" * 5000 + "2"])
async def test_delete(users: Users, text: str) -> None:
    for email in "ab":
        await users.create(email, "p")
    await users.delete(text)
    assert [each.email for each in await users.all()] == ["a"]


@pytest.mark.parametrize("text", ["4242", "0", "-0", "-1", "9223372036854775807", "-9223372036854775808"])
async def test_deleting_nobody_succeeds(users: Users, text: str) -> None:
    await users.create("a", "p")
    await users.delete(text)
    assert await users.all()


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "",
        "+",
        "-",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "1_0",
        "0x1",
        "--1",
        "٣",
        "1\n",
        "1/2",
        f"{2**63}",
        f"{-(2**63) - 1}",
        "9" * 5000,
    ],
)
async def test_what_go_s_parse_int_refuses(users: Users, text: str) -> None:
    with pytest.raises(RequestError, match="Invalid user ID format") as raised:
        await users.delete(text)
    assert raised.value.status == 400


async def test_a_time_that_nobody_writes(users: Users, tmp_path: Path) -> None:
    await users.create("a", "p")
    with sqlite3.connect(tmp_path / "app.db") as db:
        db.execute("UPDATE users SET created_at = 'junk'")
    db.close()
    with pytest.raises(HandlerError, match="Failed to fetch users") as raised:
        await users.all()
    assert raised.value.status == 500

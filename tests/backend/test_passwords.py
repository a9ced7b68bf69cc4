"""Hashes against those that golang.org/x/crypto/bcrypt made, and the loop's freedom meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from backend.errors import HandlerError
from backend.passwords import Passwords, PasswordsBusyError


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("password", "made_by_go"),
    [
        ("", "$2a$10$ftxrDr9w8tkRGv9URigaUuQUhk1q8rqw/b6wefh3y2b9fvZsraKzO"),
        ("correct horse", "$2a$10$FBCCeV6aAdQO.dwwpK/S/ebefDuIlcYCYCRfu3wLJ9JCIo0QOYZLC"),
        ("a\x00b", "$2a$10$2VthqJAF9/ThAlQELTX16uotkERfh3zw.513D9J9Kx5NyWFtTGV0m"),
        ("a\x00", "$2a$10$kq300eTobfLd9dkIljvyU.oDGqsGIiL4ff72fdy.6TcUmlHq4FiVu"),
        ("pässwörd", "$2a$10$0NJ7kVwn7VYm0XLzWM1joOHFOJAdOcag0PQnNpU4wr6YeAwrN5bJW"),
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "$2a$10$8N6O/5ZqTeBht5/v9k18AeRlRRD/3unsugdMYSyArtYO84E0pFJqC",
        ),
    ],
)
async def test_go_s_hashes_match(passwords: Passwords, password: str, made_by_go: str) -> None:
    assert await passwords.matches(password, made_by_go)
    assert not await passwords.matches(password + "x" if len(password) < 72 else password[1:], made_by_go)


@pytest.mark.parametrize("password", ["", "a\0b", "pässwörd", "x" * 72, "ä" * 36])
async def test_ours_match_and_look_like_go_s(passwords: Passwords, password: str) -> None:
    hashed = await passwords.hash(password)
    assert hashed.startswith("$2a$10$")
    assert len(hashed) == 60
    assert hashed != await passwords.hash(password)
    assert await passwords.matches(password, hashed)


@pytest.mark.parametrize("password", ["x" * 73, "ä" * 36 + "x"])
async def test_more_than_72_bytes_are_not_hashed(passwords: Passwords, password: str) -> None:
    with pytest.raises(HandlerError, match="Failed to hash password") as raised:
        await passwords.hash(password)
    assert raised.value.status == 500


async def test_only_72_bytes_are_compared(passwords: Passwords) -> None:
    """As Go's CompareHashAndPassword; 72 bytes may end inside of a character."""
    assert await passwords.matches("x" * 73, await passwords.hash("x" * 72))
    assert not await passwords.matches("x" + "ä" * 36, await passwords.hash("x" * 72))


@pytest.mark.parametrize(
    "hashed", ["", "plain", "$2a$10$short", "$2a$03$" + "a" * 53, "$3a$10$" + "a" * 53, "$2a$10$" + "!" * 53, "ü" * 60]
)
async def test_what_is_no_hash_matches_nothing(passwords: Passwords, hashed: str) -> None:
    assert not await passwords.matches("plain", hashed)


async def test_the_loop_runs_on_meanwhile(passwords: Passwords) -> None:
    """It turns many times while one hash is made; made on the loop, it would turn once."""
    making = asyncio.ensure_future(passwords.hash("a"))
    turns = 0
    while not making.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100


async def test_closing_drops_what_waits() -> None:
    passwords = Passwords()
    waiting = [asyncio.ensure_future(passwords.hash("a")) for _ in range(50)]
    await asyncio.sleep(0)
    passwords.close()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert any(isinstance(each, asyncio.CancelledError) for each in done)


async def test_a_full_line_is_refused_at_once() -> None:
    passwords = Passwords(most=2)
    try:
        found = await asyncio.gather(*(passwords.hash("x") for _ in range(4)), return_exceptions=True)
        assert [isinstance(each, PasswordsBusyError) for each in found] == [False, False, True, True]
        assert await passwords.matches("x", str(found[0]))
    finally:
        passwords.close()

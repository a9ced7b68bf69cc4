"""API keys on a real database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.api_keys.service import ApiKeys
from backend.errors import RequestError
from backend.sqlite import Sqlite


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[ApiKeys]:
    async with Sqlite(tmp_path / "app.db") as sqlite:
        yield ApiKeys(sqlite)


async def test_a_key_is_made(keys: ApiKeys) -> None:
    made = await keys.create("prod <1> & ü")
    assert re.fullmatch(r"[0-9A-Za-z]{64}", made.key)
    assert re.fullmatch(r"[0-9A-Za-z_-]{21}", made.id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.created_at)
    assert await keys.all() == [made]


async def test_keys_differ_and_use_the_whole_alphabet(keys: ApiKeys) -> None:
    made = [await keys.create("k") for _ in range(50)]
    assert len({each.key for each in made} | {each.id for each in made}) == 100
    assert len(set("".join(each.key for each in made))) == 62
    assert len(set("".join(each.id for each in made))) == 64


async def test_a_name_is_required(keys: ApiKeys) -> None:
    with pytest.raises(RequestError, match=r"^Validation failed: Key: 'CreateAPIKeyRequest.Name' Error:") as raised:
        await keys.create("")
    assert raised.value.status == 400
    await keys.create(" ")


async def test_delete(keys: ApiKeys) -> None:
    first, second = await keys.create("1"), await keys.create("2")
    await keys.delete(second.key)
    assert await keys.all() == [first]
    for absent in (second.key, "nope", first.id, first.key.lower(), ""):
        with pytest.raises(RequestError, match="API key not found") as raised:
            await keys.delete(absent)
        assert raised.value.status == 404


async def test_two_deletions_at_once(keys: ApiKeys) -> None:
    made = await keys.create("k")
    done = await asyncio.gather(*(keys.delete(made.key) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in done] == [type(None), RequestError]


async def test_validate(keys: ApiKeys) -> None:
    made = await keys.create("k")
    assert await keys.validate(made.key)
    for bad in ("", "startup-readiness-check", made.key[:-1], made.key + "x", made.key.swapcase(), made.id):
        assert not await keys.validate(bad)
    await keys.delete(made.key)
    assert not await keys.validate(made.key)


async def test_a_key_isn_t_shown_by_accident(keys: ApiKeys) -> None:
    made = await keys.create("k")
    assert made.key not in f"{made!r} {made}"

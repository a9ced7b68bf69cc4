"""PUT and GET /api/v1/weight: what is taken, what is refused, naming the field."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from router.control import Control
from router.store import Store

PATH = "/api/v1/weight"


async def test_the_answer_is_the_new_state(operator: httpx.AsyncClient, control: Control) -> None:
    answer = await operator.put(PATH, json={"percent": 12.5, "reason": "try"})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json() == {"percent": 12.5, "revision": 2, "persisted": True}
    assert control.percent == 12.5
    again = await operator.get(PATH)
    assert (again.json(), again.headers["etag"]) == (answer.json(), '"2"')


async def test_who_and_why_is_on_record(operator: httpx.AsyncClient, control: Control) -> None:
    await operator.put(PATH, json={"percent": 1, "reason": "  look at it  "})
    (row,) = await control.audit(1)
    assert (row.actor, row.reason) == ("operator@10.0.0.9", "look at it")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"percent": 101, "reason": "r"}, {"percent"}),
        ({"percent": -1, "reason": "r"}, {"percent"}),
        ({"percent": 12.345, "reason": "r"}, {"percent"}),
        ({"percent": "x", "reason": "r"}, {"percent"}),
        ({"percent": "12", "reason": "r"}, {"percent"}),
        ({"percent": True, "reason": "r"}, {"percent"}),
        ({"percent": None, "reason": "r"}, {"percent"}),
        ({"reason": "r"}, {"percent"}),
        ({"percent": 1}, {"reason"}),
        ({"percent": 1, "reason": ""}, {"reason"}),
        ({"percent": 1, "reason": " \t"}, {"reason"}),
        ({"percent": 1, "reason": "a\nb"}, {"reason"}),
        ({"percent": 1, "reason": "\x1b[2J"}, {"reason"}),
        ({"percent": 1, "reason": "x" * 501}, {"reason"}),
        ({"percent": 1, "reason": 5}, {"reason"}),
        ({"percent": 1, "reason": "r", "persent": 2}, {"persent"}),
        ({"percent": 101}, {"percent", "reason"}),
        ([], {"body"}),
        (5, {"body"}),
    ],
)
async def test_what_is_wrong_is_named(
    operator: httpx.AsyncClient, control: Control, body: Any, fields: set[str]
) -> None:
    answer = await operator.put(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert set(answer.json()["error"]["fields"]) == fields
    assert (control.percent, control.revision) == (0, 1)


@pytest.mark.parametrize("percent", ["NaN", "Infinity", "1e999", "12,5", "0x1"])
async def test_what_is_not_json_is_no_number(operator: httpx.AsyncClient, control: Control, percent: str) -> None:
    body = f'{{"percent": {percent}, "reason": "r"}}'
    answer = await operator.put(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert control.revision == 1


@pytest.mark.parametrize("percent", [0, 0.01, 0.29, 57.29, 99.99, 100])
async def test_every_hundredth_is_taken(operator: httpx.AsyncClient, percent: float) -> None:
    answer = await operator.put(PATH, json={"percent": percent, "reason": "ü" * 500})
    assert answer.json()["percent"] == percent


@pytest.mark.parametrize(
    ("if_match", "status"), [('"1"', 200), ("1", 200), ("*", 200), ('"2"', 412), ('"x"', 412), ('W/"1"', 412)]
)
async def test_if_match(operator: httpx.AsyncClient, if_match: str, status: int) -> None:
    answer = await operator.put(PATH, json={"percent": 1, "reason": "r"}, headers={"If-Match": if_match})
    assert answer.status_code == status
    if status == 412:
        assert answer.json()["error"]["code"] == "precondition_failed"


async def test_without_a_canary(operator: httpx.AsyncClient, control: Control) -> None:
    control.settings = control.settings.model_copy(update={"canary": ()})
    answer = await operator.put(PATH, json={"percent": 1, "reason": "r"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_canary")


async def test_disk_full(operator: httpx.AsyncClient, store: Store) -> None:
    await operator.put(PATH, json={"percent": 50, "reason": "r"})
    await store._connection.execute("PRAGMA query_only = ON")
    raised = await operator.put(PATH, json={"percent": 60, "reason": "r"})
    assert (raised.status_code, raised.json()["error"]["code"]) == (503, "store")
    assert "can't be saved" in raised.json()["error"]["message"]
    lowered = await operator.put(PATH, json={"percent": 0, "reason": "r"})
    assert (lowered.status_code, lowered.json()) == (200, {"percent": 0, "revision": 3, "persisted": False})

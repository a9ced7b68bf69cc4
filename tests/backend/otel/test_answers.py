"""What each kind of row is answered as. Where a value is odd, the expectation is what Go's handlers gave for it
(Echo 4.13, go-duckdb 1.8.5 with DuckDB 1.1.3, on a file with the same rows)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from backend.duck import Duck
from backend.errors import HandlerError
from tests.backend.otel.conftest import Ask
from tests.backend.spanrows import START, insert, span

TRACE = "a" * 32


#: What a program may have sent as its workflow's state → what clients get.
STATES: list[tuple[str | None, Any]] = [
    ('{"x": NaN}', None),
    ('{"x": -Infinity}', None),
    ('{"x":inf}', None),
    ("nan", None),
    ('{"a":[NaN]}', None),
    ('{"é\\"":nan}', None),
    ("[1,2,]", None),
    ('{"a":1,\n }', None),
    ('{"t":"is NaN, inf, ]"}', {"t": "is NaN, inf, ]"}),
    ('{"nan":1,"q":"\\"nan,]"}', {"nan": 1, "q": '"nan,]'}),
    ('{"a\\\\":"Infinity"}', {"a\\": "Infinity"}),
    ('{"line\\n":",\\n]"}', {"line\n": ",\n]"}),
    ("null", None),
    (None, None),
    ('"s"', "s"),
    (' {"a" : 1} ', {"a": 1}),
    ('{"a":1,"a":2}', {"a": 2}),
    ("123456789012345678901234567890", 1.2345678901234568e29),
    ("0.1e-400", 0.0),
    ("1E5", 100000.0),
    ('"\\ud83d\\ude00\\u0000"', "😀\0"),
    ('"é\u2028"', "é\u2028"),
    ("true", True),
]


@pytest.mark.parametrize("column", ["junjo_wf_state_start", "junjo_wf_state_end", "junjo_wf_graph_structure"])
async def test_a_workflows_json(duck: Duck, ask: Ask, column: str) -> None:
    await insert(duck, [span(number, **{column: stored}) for number, (stored, _) in enumerate(STATES)])
    found = await ask(f"/otel/trace/{TRACE}/nested-spans")
    for row, (stored, answered) in zip(found, STATES, strict=True):
        assert row[column] == answered, stored


async def test_the_backends_json(duck: Duck, ask: Ask) -> None:
    texts = [None, "null", '{"a":[1,{"b":"\\"é"}]}', "[]", "9007199254740993"]
    names = ("attributes_json", "events_json", "links_json")
    await insert(duck, [span(number, **dict.fromkeys(names, text)) for number, text in enumerate(texts)])
    for row, text in zip(await ask(f"/otel/trace/{TRACE}/nested-spans"), texts, strict=True):
        assert [row[name] for name in names] == [orjson.loads(text or "null")] * 3


#: Microseconds since 1970 → RFC 3339 as Go writes it.
TIMES = [
    (0, "1970-01-01T00:00:00Z"),
    (1, "1970-01-01T00:00:00.000001Z"),
    (10, "1970-01-01T00:00:00.00001Z"),
    (100_000, "1970-01-01T00:00:00.1Z"),
    (999_999, "1970-01-01T00:00:00.999999Z"),
    (1_000_000, "1970-01-01T00:00:01Z"),
    (-1, "1969-12-31T23:59:59.999999Z"),
    (-1_499_999, "1969-12-31T23:59:58.500001Z"),
    (-9_460_800_000_000_000 + 1, "1670-03-14T00:00:00.000001Z"),
    (START + 20_000, "2025-10-09T08:53:20.02Z"),
    (9_223_372_036_854_775, "2262-04-11T23:47:16.854775Z"),
]


async def test_times(duck: Duck, ask: Ask) -> None:
    await insert(duck, [span(number, start_time=at, end_time=at) for number, (at, _) in enumerate(TIMES)])
    found = await ask(f"/otel/trace/{TRACE}/nested-spans")
    expected = [written for _, written in sorted(TIMES, reverse=True)]
    assert [row["start_time"] for row in found] == [row["end_time"] for row in found] == expected


NAMES = [
    "quote ' \" %_\\",
    "\u2028é😀<&>",
    "a\x00b",
    "a\x1fb\x7f",
    "%s {} $1 ?; --",
    "",
    "\ufeffx",
    "\ufffd",
    "n" * 9000,
]


async def test_texts(duck: Duck, ask: Ask) -> None:
    names = ("name", "status_message", "trace_state", "junjo_id")
    await insert(duck, [span(number, **dict.fromkeys(names, text)) for number, text in enumerate(NAMES)])
    for row, text in zip(await ask(f"/otel/trace/{TRACE}/nested-spans"), NAMES, strict=True):
        assert [row[name] for name in names] == [text] * 4


async def test_whatever_may_be_null_is(duck: Duck, ask: Ask) -> None:
    kept = {"trace_id", "span_id", "service_name", "start_time", "end_time"}
    await insert(duck, [{name: value if name in kept else None for name, value in span(1).items()}])
    found = await ask(f"/otel/trace/{TRACE}/span/{1:016x}")
    assert {name for name, value in found.items() if value is not None} == kept
    assert found.keys() == span().keys()


#: Service → how a client writes it in a path; Echo hands over as sent what Go would have escaped in another way.
SERVICES = {
    "a b": "a%20b",
    "a%20b%2Fc": "a%20b%2Fc",
    "é": "%C3%A9",
    "100%_": "100%25_",
    "%_": "%25_",
    "a'b\"; DROP TABLE spans": "a%27b%22;%20DROP%20TABLE%20spans",
}


async def test_services_are_compared_as_a_whole(duck: Duck, ask: Ask) -> None:
    """Never as a pattern."""
    rows = [span(number, service_name=name, junjo_span_type="workflow") for number, name in enumerate(SERVICES)]
    await insert(duck, [*rows, span(99, service_name="100 or more", junjo_span_type="workflow")])
    for service, path in SERVICES.items():
        for question in ("/otel/service/{}/root-spans", "/otel/spans/type/workflow/{}"):
            assert [each["service_name"] for each in await ask(question.format(path))] == [service]


async def test_names_of_services_are_sorted_by_bytes_and_single(duck: Duck, ask: Ask) -> None:
    services = ["b", "a", "é", "B", "", "a", "z"]
    await insert(duck, [span(number, service_name=name) for number, name in enumerate(services)])
    assert await ask("/otel/span-service-names") == ["", "B", "a", "b", "z", "é"]


async def test_roots_are_the_newest_500(duck: Duck, ask: Ask) -> None:
    spans = [span(number, start_time=START + number) for number in range(600)]
    await insert(duck, [*spans, span(700, parent_span_id=f"{1:016x}"), span(701, service_name="other")])
    found = await ask("/otel/service/shop/root-spans")
    assert [int(each["span_id"], 16) for each in found] == list(range(599, 99, -1))
    assert len(await ask(f"/otel/trace/{TRACE}/nested-spans")) == 602


async def test_the_filter_looks_at_the_whole_trace(duck: Duck, ask: Ask) -> None:
    llm = '{"openinference.span.kind":"LLM"}'
    await insert(
        duck,
        [
            span(1, trace_id="t1"),
            span(2, trace_id="t1", parent_span_id="x", service_name="other", attributes_json=llm),
            span(3, trace_id="t2", attributes_json='{"openinference.span.kind":"llm"}'),
            span(4, trace_id="t3", attributes_json='{"openinference":{"span":{"kind":"LLM"}}}'),
            span(5, trace_id="t4", attributes_json=None),
            span(6, trace_id="t5", attributes_json=llm, start_time=START + 1),
        ],
    )
    assert [each["trace_id"] for each in await ask("/otel/service/shop/root-spans-filtered")] == ["t5", "t1"]
    assert await ask("/otel/service/other/root-spans-filtered") == []


async def test_workflows(duck: Duck, ask: Ask) -> None:
    await insert(
        duck,
        [
            span(1, junjo_span_type="workflow", parent_span_id="x"),
            span(2, junjo_span_type="workflow", start_time=START + 1),
            span(3, junjo_span_type="subflow"),
            span(4, junjo_span_type="workflow", service_name="other"),
            span(5, junjo_span_type=None),
        ],
    )
    assert [int(each["span_id"], 16) for each in await ask("/otel/spans/type/workflow/shop")] == [2, 1]


async def test_spans_of_one_time_come_in_order_of_their_ids(duck: Duck, ask: Ask) -> None:
    for number in (5, 3, 9, 1, 7):
        await insert(duck, [span(number)])
    assert [int(each["span_id"], 16) for each in await ask(f"/otel/trace/{TRACE}/nested-spans")] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/otel/service//root-spans", "serviceName"),
        ("/otel/service//root-spans-filtered", "serviceName"),
        ("/otel/trace//nested-spans", "traceId"),
        ("/otel/trace//span/1", "traceId"),
    ],
)
async def test_an_empty_parameter(ask: Ask, path: str, missing: str) -> None:
    with pytest.raises(HandlerError, match=f"^{missing} parameter is required$") as caught:
        await ask(path)
    assert caught.value.status == 400


async def test_a_large_trace(duck: Duck, ask: Ask) -> None:
    """More than one vector of 2,048 rows, and more than one row group's worth of bytes."""
    text = '{"k":"%s"}' % ("ü" * 500)
    rows = [span(number, attributes_json=text, start_time=START + number) for number in range(5000)]
    await insert(duck, rows)
    found = await ask(f"/otel/trace/{TRACE}/nested-spans")
    assert [int(each["span_id"], 16) for each in found] == list(range(4999, -1, -1))
    assert all(each["attributes_json"] == {"k": "ü" * 500} for each in found)

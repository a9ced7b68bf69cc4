"""A source of realistic spans: workflows of nodes that call models and patch a state, in several services.

``python -m tests.standins.spans --log FILE --rate 500 --seconds 10`` appends to the log that the stand-in ingestion
service serves (tests/standins/ingestion.py), and prints how many spans, patches and bad spans it wrote. The same seed
makes the same spans, but for their times and keys.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from backend.ingest.stored import Stored

from .spanlog import Keys, append

SERVICES = ("shop", "billing", "support")
MODELS = ("gpt-4o", "claude-sonnet-4", "gemini-2.5-pro")
WORDS = ("please", "summarise", "the", "<order>", "of", "this", "customer", "&", "answer", "kindly", "–", "thanks ✓")
#: Seconds between two appends: often enough to look like a flow, seldom enough to reach a high rate.
TICK = 0.02


@dataclass(slots=True)
class Written:
    """What went into the log."""

    spans: int = 0
    patches: int = 0
    bad: int = 0


class Source:
    """Endless entries for the log, workflow after workflow; of `bad_every` entries one can't become rows (0: none)."""

    def __init__(self, seed: int = 0, bad_every: int = 0) -> None:
        self._rng = random.Random(seed)
        self._keys = Keys(self._rng)
        self._bad_every = bad_every
        self.written = Written()

    def entries(self) -> Iterator[Stored]:
        while True:
            service = self._rng.choice(SERVICES)
            resource = Resource(
                attributes=_attributes({"service.name": service, "telemetry.sdk.name": "opentelemetry"})
            )
            for span in self._workflow(service, time.time_ns()):
                yield self._stored(span, resource)

    def _stored(self, span: Span, resource: Resource) -> Stored:
        entry = Stored(self._keys.next(), span.SerializeToString(), resource.SerializeToString())
        total = self.written.spans + self.written.bad + 1
        if self._bad_every and total % self._bad_every == 0:
            self.written.bad += 1
            return entry._replace(span=self._spoil(span))
        self.written.spans += 1
        self.written.patches += sum(event.name == "set_state" for event in span.events)
        return entry

    def _spoil(self, span: Span) -> bytes:
        """The ways a span is bad: bytes that are no protobuf, a state that is no JSON, a number that JSON lacks."""
        match self._rng.randrange(3):
            case 0:
                return b"\xff" + self._rng.randbytes(20)
            case 1:
                span.ClearField("attributes")
                broken = {"junjo.span_type": "workflow", "junjo.workflow.state.start": "{'a': 1}"}
                span.attributes.extend(_attributes(broken))
            case _:
                span.attributes.extend(_attributes({"score": float("nan")}))
        return span.SerializeToString()

    def _workflow(self, service: str, start: int) -> list[Span]:
        """The spans of one run, each after its children, as an exporter sends them."""
        rng = self._rng
        trace, store = rng.randbytes(16), f"store-{rng.getrandbits(32):08x}"
        nodes = [f"node-{number}" for number in range(rng.randint(2, 6))]
        root = self._span(trace, b"", f"{service} workflow", start)
        spans: list[Span] = []
        at = start
        for number, node in enumerate(nodes):
            span = self._span(trace, root.span_id, node, at)
            call = self._call(trace, span.span_id, at + 1_000_000)
            span.attributes.extend(
                _attributes({"junjo.span_type": "node", "junjo.id": node, "junjo.parent_id": f"wf-{store}"})
            )
            patch = json.dumps([{"op": "replace", "path": "/steps", "value": number + 1}])
            event = Span.Event(name="set_state", time_unix_nano=call.end_time_unix_nano)
            event.attributes.extend(_attributes({"junjo.state_json_patch": patch, "junjo.store.id": store}))
            span.events.append(event)
            at = span.end_time_unix_nano = call.end_time_unix_nano + 500_000
            spans += [call, span]
        root.end_time_unix_nano = at
        root.attributes.extend(_attributes(_flow(store, nodes)))
        return [*spans, root]

    def _call(self, trace: bytes, parent: bytes, start: int) -> Span:
        """A call of a model, with what it was asked and what it said; one in fifty failed."""
        rng = self._rng
        prompt = " ".join(rng.choices(WORDS, k=rng.randint(20, 120)))
        answer = " ".join(rng.choices(WORDS, k=rng.randint(10, 60)))
        span = self._span(trace, parent, "ChatCompletion", start)
        span.kind = Span.SPAN_KIND_CLIENT
        span.end_time_unix_nano = start + rng.randint(100_000_000, 4_000_000_000)
        request = {"messages": [{"role": "user", "content": prompt}]}
        span.attributes.extend(
            _attributes(
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": rng.choice(MODELS),
                    "llm.temperature": rng.choice((0.0, 0.2, 1.0)),
                    "llm.token_count.prompt": len(prompt) // 4,
                    "llm.token_count.completion": len(answer) // 4,
                    "llm.stop": ["\n", "END"],
                    "input.value": json.dumps(request, ensure_ascii=False),
                    "output.value": json.dumps({"content": answer}),
                }
            )
        )
        if rng.random() < 0.02:
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="rate limited"))
            event = Span.Event(name="exception", time_unix_nano=span.end_time_unix_nano)
            event.attributes.extend(_attributes({"exception.type": "RateLimitError", "exception.message": "429"}))
            span.events.append(event)
        return span

    def _span(self, trace: bytes, parent: bytes, name: str, start: int) -> Span:
        return Span(
            trace_id=trace,
            span_id=self._rng.randbytes(8),
            parent_span_id=parent,
            name=name,
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=start,
            end_time_unix_nano=start,
            flags=0x101,
        )


def _flow(store: str, nodes: list[str]) -> dict[str, Any]:
    labels = [{"id": node, "label": node.title()} for node in nodes]
    edges = [{"source": first, "target": second} for first, second in pairwise(nodes)]
    return {
        "junjo.span_type": "workflow",
        "junjo.id": f"wf-{store}",
        "junjo.workflow.store.id": store,
        "junjo.workflow.state.start": json.dumps({"steps": 0, "items": []}),
        "junjo.workflow.state.end": json.dumps({"steps": len(nodes), "items": nodes}),
        "junjo.workflow.graph_structure": json.dumps({"v": 1, "nodes": labels, "edges": edges}),
        "junjo.workflow.node.count": len(nodes),
    }


def _attributes(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: object) -> AnyValue:
    match value:
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(_value, value)))
        case _:
            return AnyValue(string_value=str(value))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.spans", description="appends spans to a log")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=100, help="spans a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bad-every", type=int, default=0, help="one of so many can't be decoded; 0: none")
    options = parser.parse_args(arguments)
    source = Source(options.seed, options.bad_every)
    entries = source.entries()
    start, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < options.seconds:
        due = int(elapsed * options.rate) - sent
        append(options.log, islice(entries, due))
        sent += due
        time.sleep(TICK)
    written = source.written
    print(json.dumps({"spans": written.spans, "patches": written.patches, "bad": written.bad}), flush=True)


if __name__ == "__main__":
    main()

"""Reports: everything that counts is in them, and what came from a backend can't do anything there."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser

from rich.console import Console

from router.shadow.difference import Action, Difference, Kind, Place
from router.verify.cases import Case
from router.verify.page import html
from router.verify.report import as_tree, show
from router.verify.run import Result, Verification

EVIL = '<script src="https://evil.example/x">[red]\x1b[2J'


def verification() -> Verification:
    blocking = Difference(Place("$.items[*].price", Kind.VALUE), Action.BLOCK, "1", EVIL, 3)
    warning = Difference(Place("$.at", Kind.TIME_FORMAT), Action.WARN, '"a"', '"b"')
    return Verification(
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
        [
            Result(Case(path="/a"), "200", "200"),
            Result(Case(id=EVIL, path="/<b>"), "200", "200", [blocking, warning]),
            Result(Case(path="/c"), "200", "200", [warning], frozenset({Place("$.n", Kind.VALUE)})),
            Result(Case(path="/d"), "200", "200", passing=True),
            Result(Case(path="/e"), skipped="why not"),
        ],
    )


def test_json() -> None:
    tree = json.loads(json.dumps(as_tree(verification())))
    assert tree["summary"] == {"differs": 1, "warns": 1, "same": 2, "skipped": 1}
    assert tree["cases"][1]["differences"][0] == {
        "path": "$.items[*].price",
        "class": "value",
        "action": "block",
        "count": 3,
        "stable": "1",
        "canary": EVIL,
    }
    assert tree["cases"][2]["noise"] == ["$.n value"]


def test_terminal() -> None:
    out = io.StringIO()
    show(verification(), Console(file=out, width=200))
    text = out.getvalue()
    assert "block value         $.items[*].price ×3: stable 1 | canary <script" in text
    assert "differed once, then no more" in text
    assert "noise: $.n value" in text
    assert text.endswith("5 cases: 1 differs, 1 warns, 2 same, 1 skipped; they differ\n")
    assert "\x1b" not in text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_html_is_escaped_and_self_contained() -> None:
    page = html(verification())
    tags = Tags()
    tags.feed(page)
    names = {tag for tag, _ in tags.seen}
    assert names.isdisjoint({"script", "link", "img", "b", "iframe", "object"})
    assert not [attributes for _, attributes in tags.seen if attributes.keys() & {"src", "href", "onclick"}]
    assert "default-src 'none'" in page
    assert "$.items[*].price" in page
    assert "&lt;script" in page

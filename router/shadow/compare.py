"""Two HTTP answers → what differs between them to a client.

Status, meaningful headers and cookies (fields.py), and the body: JSON by its meaning (tree.py), other text and bytes by
equality, what is over the cap by its digest. `answer.py` makes the answers, `rules.py` says what doesn't count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import fields, tree
from .answer import Answer
from .difference import Action, Difference, Found, Kind
from .redact import scrubbed, shortened
from .rules import Book

_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_CHARSET = re.compile(r"charset=\"?([\w.:-]{1,40})", re.IGNORECASE)
#: Charsets that are read; Python knows others that take quadratic time.
_CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16", "utf-16le", "utf-16be"))
#: Characters shown before the first that differs.
_BEFORE = 30


def compare(stable: Answer, canary: Answer, book: Book) -> Sequence[Difference]:
    """Every place that differs, with its class and what the rules say; none when a client can't tell."""
    found = Found()
    pair = _Pair(stable, canary, book, found)
    statuses_agree = pair.status()
    fields.compare(stable, canary, book, found)
    if statuses_agree:
        pair.bodies()
    return list(found)


class _Pair:
    def __init__(self, stable: Answer, canary: Answer, book: Book, found: Found) -> None:
        self._stable = stable
        self._canary = canary
        self._book = book
        self._found = found

    def status(self) -> bool:
        """Whether bodies are worth comparing: those of an answer and an error differ everywhere."""
        if self._stable.status == self._canary.status:
            return True
        self._add("status", Kind.VALUE, str(self._stable.status), str(self._canary.status))
        root = self._book.root("status")
        return self._book.treat(root) == "ignore" or self._book.action(root, Kind.VALUE) is Action.ALLOW

    def bodies(self) -> None:
        stable, canary = self._stable, self._canary
        if stable.digest == canary.digest and stable.header("content-encoding") == canary.header("content-encoding"):
            return
        if not stable.whole or not canary.whole:
            self._add("body", Kind.VALUE, _digest(stable), _digest(canary))
            return
        ours, theirs = stable.unpacked(), canary.unpacked()
        if ours is None or theirs is None:
            kind = Kind.ENCODING if (ours is None) != (theirs is None) else Kind.VALUE
            self._add("body", kind, _coded(stable), _coded(canary))
        elif ours != theirs and not self._json(ours, theirs):
            self._plain(ours, theirs)

    def _json(self, stable: bytes, canary: bytes) -> bool:
        """Compare as JSON; False if the answers don't say that they are, or neither is."""
        if not any(_JSON.match(answer.header("content-type")) for answer in (self._stable, self._canary)):
            return False
        if not stable.strip() or not canary.strip():
            return False
        ours, theirs = _read(stable), _read(canary)
        if isinstance(ours, tree.NotJsonError) and isinstance(theirs, tree.NotJsonError):
            return False
        if isinstance(ours, tree.NotJsonError) or isinstance(theirs, tree.NotJsonError):
            self._add("$", Kind.TYPE, _validity(ours), _validity(theirs))
            return True
        try:
            tree.compare(ours, theirs, self._book, self._found)
        except tree.NotJsonError:
            return False
        return True

    def _plain(self, stable: bytes, canary: bytes) -> None:
        if not stable or not canary:
            kind = Kind.EXTRA if not stable else Kind.MISSING
            self._add("body", kind, f"{len(stable)} bytes", f"{len(canary)} bytes")
            return
        ours, theirs = _text(self._stable, stable), _text(self._canary, canary)
        if ours is None or theirs is None:
            self._add("body", Kind.VALUE, _digest(self._stable), _digest(self._canary))
        else:
            kind = Kind.ENCODING if ours == theirs else Kind.VALUE
            self._add("body", kind, *_first_difference(scrubbed(ours), scrubbed(theirs)))

    def _add(self, root: str, kind: Kind, stable: str, canary: str) -> None:
        state = self._book.root(root)
        treat = self._book.treat(state)
        if treat != "ignore" and not (treat == "type" and kind is Kind.VALUE):
            self._found.add(root, kind, self._book.action(state, kind), stable, canary)


def _read(body: bytes) -> object:
    try:
        return tree.read(body)
    except tree.NotJsonError as error:
        return error


def _validity(outcome: object) -> str:
    return "not JSON" if isinstance(outcome, tree.NotJsonError) else "JSON"


def _text(answer: Answer, body: bytes) -> str | None:
    """The body as text by its charset, UTF-8 without one; None if it isn't text in that."""
    found = _CHARSET.search(answer.header("content-type"))
    charset = found[1].lower() if found else "utf-8"
    try:
        return body.decode(charset) if charset in _CHARSETS else None
    except ValueError:
        return None


def _digest(answer: Answer) -> str:
    return f"{answer.length} bytes, SHA-256 {answer.digest[:12]}…"


def _coded(answer: Answer) -> str:
    return f"{answer.length} bytes in content-encoding {answer.header('content-encoding') or 'identity'}"


def _first_difference(stable: str, canary: str) -> tuple[str, str]:
    """Both texts from shortly before where they part."""
    at = next((i for i, (one, other) in enumerate(zip(stable, canary, strict=False)) if one != other), None)
    if at is None:
        if stable == canary:
            return "differs only in what is hidden", "differs only in what is hidden"
        at = min(len(stable), len(canary))
    start = max(0, at - _BEFORE)
    lead = "…" if start else ""
    return shortened(lead + stable[start:]), shortened(lead + canary[start:])

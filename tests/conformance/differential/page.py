"""docs/differences.md, written from the cases; whether they hold with real proxies is test_differential.py's part."""

from __future__ import annotations

from collections.abc import Sequence

from tests.conformance.differential import fields, framing, lines, sequences
from tests.conformance.differential.case import Case

TOPICS = {
    "Where a body ends": framing.CASES,
    "Request line, target, Host": lines.CASES,
    "Field lines, hop-by-hop, upgrade, Expect": fields.CASES,
    "Pipelines": sequences.CASES,
}
CASES = [case for cases in TOPICS.values() for case in cases]

INTRODUCTION = """\
# How this router, nginx and HAProxy differ

{total} raw requests, each sent to this router, to nginx 1.22 and to HAProxy 2.6 (Debian 12; both with their defaults),
before the same recording upstream. For {same} of them all three do the same. The other {different} are below, with our
reason: F1 to E3 are rules of this router, "RFC" is where HTTP says so.

Each request is followed by a plain one in the same segment. A cell shows the answers that the client saw; `keeps` if
the plain request was answered too, so that the connection went on at the right place; then, behind a `·` each, the
requests that the upstream received: method, target, fields worth a look and, in brackets, the body. `400 by the
upstream` is the answer of h11, which reads strictly and stands behind each proxy; `cut` is a message without its end;
`=` is the same as the router.

Not in the table, because it holds for all: this router sends fields in the order, case and bytes in which they came;
HAProxy turns names into lower case. This router and HAProxy pass a chunked body on as it comes; nginx reads it
to its end first and sends a Content-Length.

In every case the requests that the upstream received through this router were counted by three readers (h11, llhttp,
and one as lenient as Python's http.server), and their number was the number of answers that the client got.

The cases are in `tests/conformance/differential`, this page is written by `python -m tests.conformance.differential`.
"""


def page() -> str:
    different = [case for case in CASES if case.why]
    text = INTRODUCTION.format(total=len(CASES), same=len(CASES) - len(different), different=len(different))
    return text + "".join(_section(title, cases) for title, cases in TOPICS.items())


def _section(title: str, cases: Sequence[Case]) -> str:
    rows = [_row(case) for case in cases if case.why]
    alike = ", ".join(case.id for case in cases if not case.why)
    head = f"\n## {title}\n\n| case | this router | nginx | HAProxy | why |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) + f"\n\nAll the same: {alike}.\n"


def _row(case: Case) -> str:
    cells = [f"**{case.id}** {_code(_bytes(case.send))}", _code(case.router)]
    cells += [_code(told) if told else "=" for told in (case.nginx, case.haproxy)]
    return f"| {' | '.join([*cells, case.why])} |"


def _bytes(data: bytes) -> str:
    text = repr(data)[2:-1]
    return text if len(text) <= 160 else f"{text[:100]}… ({len(data)} bytes)"


def _code(text: str) -> str:
    """As code in a cell of a table, where a pipe has to be escaped even there."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|")

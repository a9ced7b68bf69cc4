"""A verification as one HTML page: no script, nothing from elsewhere, everything that came from answers escaped."""

from __future__ import annotations

from html import escape

from .report import remark, summary
from .run import Result, Verification

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c2330; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #dde1e8; }
td, code { overflow-wrap: anywhere; }
code { font-size: .9em; }
.differs, .block { color: #b3141d; font-weight: 600; }
.warns, .warn { color: #8a5a00; }
.same, .allow { color: #1b6e3c; }
.skipped { color: #667; }
details table { margin: .3rem 0 .8rem; background: #f6f7f9; }
"""


def html(verification: Verification) -> str:
    """The whole document."""
    rows = "\n".join(map(_row, verification.results))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cutover verify: {escape(summary(verification))}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(summary(verification))}</h1>
<p>stable <code>{escape(verification.stable)}</code>, canary <code>{escape(verification.canary)}</code></p>
<table>
<thead><tr><th>case<th>request<th>stable<th>canary<th>verdict<th>remark</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(result: Result) -> str:
    case = result.case
    cells = "".join(
        f"<td>{escape(text)}" for text in (case.label, f"{case.method} {case.path}", result.stable, result.canary)
    )
    verdict = f'<td class="{result.verdict}">{result.verdict}'
    row = f"<tr>{cells}{verdict}<td>{escape(remark(result))}</tr>"
    return f'{row}\n<tr><td colspan="6">{_details(result)}</tr>' if result.differences else row


def _details(result: Result) -> str:
    rows = "".join(
        f'<tr><td class="{found.action}">{found.action}<td>{found.place.kind}'
        f"<td><code>{escape(found.place.path)}</code><td>{found.count}"
        f"<td><code>{escape(found.stable)}</code><td><code>{escape(found.canary)}</code></tr>"
        for found in result.differences
    )
    head = "<tr><th>does<th>class<th>path<th>times<th>stable<th>canary</tr>"
    opened = " open" if result.verdict == "differs" else ""
    count = f"<summary>{len(result.differences)} differences</summary>"
    return f"<details{opened}>{count}<table>{head}{rows}</table></details>"

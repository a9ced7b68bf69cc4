"""How the operator commands print what the admin API answered. Pure: JSON trees in, text out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from .drill.faults import WORDS, Result

Tree = dict[str, Any]

_MARKS = {"pass": "ok  ", "hold": "wait", "fail": "FAIL"}


def as_json(tree: Any) -> str:
    return json.dumps(tree, ensure_ascii=False)


def weight(tree: Tree) -> str:
    text = f"canary weight {tree['percent']:g} % (revision {tree['revision']})"
    return text if tree["persisted"] else f"{text}; NOT SAVED: the state file can't be written"


def status(tree: Tree) -> str:
    """The whole status on one screen."""
    observed = tree["observed_share"]
    lines = [
        f"cutover {tree['version']}, up {timedelta(seconds=round(tree['uptime']))}, revision {tree['revision']}",
        f"weight {tree['percent']:g} %, observed {'-' if observed is None else f'{observed:.2%}'}"
        f", fallbacks {tree['fallbacks']}, clients {tree['clients']}, tunnels {tree['tunnels']}",
        "",
        *_arms(tree["arms"]),
        "",
    ]
    for arm, state in tree["arms"].items():
        lines += [
            f"{arm:<8} {'up  ' if endpoint['up'] else 'DOWN'} {endpoint['url']}" for endpoint in state["endpoints"]
        ]
        if state["errors"]:
            lines.append(f"{arm:<8} errors: " + ", ".join(f"{kind} {n}" for kind, n in state["errors"].items()))
    if tree.get("rollout"):
        lines += ["", rollout(tree["rollout"])]
    lines += ["", *map(_worker, tree["workers"])]
    if tree["store"]["state"] != "ok":
        lines.append(f"STATE FILE FAILED: {tree['store']['message']}")
    if not tree["store"]["persisted"]:
        lines.append("NOT SAVED: a restart would forget the latest change")
    return "\n".join(lines)


def rollout(tree: Tree) -> str:
    """A rollout: where it is, what is missing, and what each gate says."""
    number, steps = tree["step"], tree["steps"]
    step = steps[min(number, len(steps) - 1)]
    left = "" if tree["remaining"] is None else f", {_time(tree['remaining'])} to go"
    lines = [
        f"rollout {tree['id']} {tree['plan']!r} {tree['phase'].replace('_', ' ')}: step {step['name']!r} "
        f"({number + 1} of {len(steps)}, {step['percent']:g} %), "
        f"{_time(tree['elapsed'])} of {_time(step['hold'])}, {tree['samples']:,} canary requests{left}",
        *(f"  missing: {text}" for text in tree["missing"]),
    ]
    if tree["quarantined"]:
        lines.append(f"  pinned to stable: {', '.join(tree['quarantined'])}")
    lines += [f"  {_MARKS[gate['verdict']]} {gate['gate']:<14} {gate['words']}" for gate in tree["gates"]]
    return "\n".join(lines)


def explanation(tree: Tree) -> str:
    """A decision, who made it, and what every gate said then."""
    lines = [
        f"decision {tree['id']} of rollout {tree['rollout']}: {tree['action']} in step {tree['step']!r}, "
        f"weight {tree['percent']:g} % from then on",
        f"{tree['time']} by {tree['actor']}" + (f", gate {tree['gate']}" if tree["gate"] else ""),
        tree["words"],
        *(f"  {line}" for line in tree["gates"]),
    ]
    lines.append(
        "decided again from its evidence: the same"
        if tree["holds"]
        else "DECIDED AGAIN FROM ITS EVIDENCE: NOT THE SAME"
    )
    return "\n".join(lines)


def drill_row(result: Result) -> str:
    """One line of the drill's table."""
    what = f"weight 0 after {result.requests:>4} canary requests, {result.seconds:5.2f} s, by {result.gate}"
    return f"{result.fault:<9} {WORDS[result.fault]:<36} {what if result.detected else 'NOT DETECTED'}"


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _arms(arms: Tree) -> list[str]:
    rows = [["arm", "req/s", "p50", "p95", "p99", "active", "requests", "4xx", "5xx", "errors", "users"]]
    for name, arm in arms.items():
        minute = arm["latency"]["minute"]
        rows.append(
            [
                name,
                f"{arm['rps']:.1f}",
                *(_duration(minute[quantile]) for quantile in ("p50", "p95", "p99")),
                str(arm["active"]),
                str(arm["requests"]),
                str(arm["codes"]["4xx"]),
                str(arm["codes"]["5xx"]),
                str(sum(arm["errors"].values())),
                str(arm["sessions"]),
            ]
        )
    return _columns(rows)


def _worker(worker: Tree) -> str:
    rss = "gone" if worker["rss"] is None else f"{worker['rss'] / 2**20:.0f} MiB"
    uptime = timedelta(seconds=round(worker["uptime"]))
    return f"worker-{worker['slot']} pid {worker['pid']} {worker['state']}, {rss}, up {uptime}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def audit(rows: Sequence[Tree]) -> str:
    """Rows newest first, a line each."""
    lines = [["id", "time", "who", "what", "outcome", "before", "after", "why"]]
    lines += [
        [
            str(row["id"]),
            row["time"],
            row["actor"],
            row["action"],
            row["outcome"],
            _brief(row["before"]),
            _brief(row["after"]),
            row["reason"],
        ]
        for row in rows
    ]
    return "\n".join(_columns(lines))


def _brief(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return f"{len(value)} routes"
    if isinstance(value, dict):
        return ", ".join(f"{inner:g} %" if name == "percent" else f"{name} {inner}" for name, inner in value.items())
    return str(value)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

"""Which series our own code exports, read from its source; and which ones a PromQL expression names."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SOURCES = ("router/metrics.py", "backend/metrics.py", "backend/llm/metrics.py")

#: Endings of the series that each way of making a family gives, in all three modules.
_MADE_BY = {
    "HistogramMetricFamily": ("_bucket", "_sum", "_count"),
    "Histogram": ("_bucket", "_sum", "_count"),
    "_Timed": ("_bucket", "_sum", "_count"),
    "_Called": ("_bucket", "_sum", "_count"),
    "CounterMetricFamily": ("_total",),
    "Counter": ("_total",),
    "_counter": ("_total",),
    "GaugeMetricFamily": ("",),
    "Gauge": ("",),
    "_gauge": ("",),
    "Info": ("_info",),
}
#: Of prometheus-client's ProcessCollector, and Prometheus' own.
_OTHERS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
    "up",
}

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_LABELS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_DURATION = re.compile(r"\boffset\s+\w+")
_NAME = re.compile(r"[A-Za-z_:][\w:]*(?!\w)(?!\s*\()")
_WORDS = {"and", "or", "unless", "by", "offset", "bool", "on"}


def exported(source: str) -> set[str]:
    """Names of the series that a module makes."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MADE_BY):
            continue
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            family = node.args[0].value.removesuffix("_total")
            found |= {family + ending for ending in _MADE_BY[node.func.id]}
    return found


def all_exported() -> set[str]:
    return _OTHERS.union(*(exported((ROOT / name).read_text("utf-8")) for name in SOURCES))


def named(expression: str) -> set[str]:
    """Names of the series in a PromQL expression."""
    bare = _DURATION.sub(" ", _LABELS.sub(" ", _STRING.sub('""', expression)))
    return set(_NAME.findall(bare)) - _WORDS


def rules() -> list[dict[str, Any]]:
    """Every recording and alert rule."""
    paths = sorted((ROOT / "dashboards" / "rules").glob("*.yml"))
    return [rule for path in paths for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]

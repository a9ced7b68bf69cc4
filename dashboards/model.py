"""What a dashboard is made of, and the JSON in which Grafana wants it.

A board is rows of panels; places on Grafana's grid of 24 columns follow from the order. Everything that all panels
share (data source, legends, colours of the arms) is said here once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: The same colour for an arm on every panel; legends begin with the arm's name.
ARM_COLOURS = {"stable": "blue", "canary": "orange"}
GREEN, RED = "green", "red"

Kind = Literal["timeseries", "stat", "table"]


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and what its series are called: `legend` may use labels as ``{{arm}}``."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `unit` is Grafana's name for it.

    `red_from` or `red_below` is where values turn red. `bound` is a query that is drawn as a dashed red line: a limit
    that only the running rollout knows. `values` are words for numbers, as (0, "hold").
    """

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    about: str = ""
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    red_from: float | None = None
    red_below: float | None = None
    bound: Query | None = None
    values: tuple[tuple[int, str], ...] = ()

    @property
    def targets(self) -> tuple[Query, ...]:
        return self.queries if self.bound is None else (*self.queries, self.bound)


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the panels, filled from the values of `label` of `series`."""

    name: str
    series: str
    label: str


@dataclass(frozen=True, slots=True)
class Board:
    """`uid` is part of links to the board, so it never changes."""

    uid: str
    title: str
    about: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)


def render(board: Board) -> dict[str, Any]:
    """The board as Grafana's dashboard JSON (schema version 39, Grafana 10 and later)."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": ["cutover"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "links": [
            {"type": "dashboards", "tags": ["cutover"], "title": "cutover", "asDropdown": True, "keepTime": True}
        ],
        "annotations": {"list": [_rollbacks()]},
        "templating": {"list": [_datasource(), *map(_variable, board.variables)]},
        "panels": _panels(board),
    }


def _panels(board: Board) -> list[dict[str, Any]]:
    rendered: list[dict[str, Any]] = []
    top = 0
    for row in board.rows:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        rendered.append(
            {
                "id": len(rendered) + 1,
                "type": "row",
                "title": row.title,
                "gridPos": place,
                "collapsed": False,
                "panels": [],
            }
        )
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            rendered.append({"id": len(rendered) + 1, "gridPos": place, **_panel(panel)})
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return rendered


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": _thresholds(panel)}
    if panel.values:
        words = {str(number): {"text": word, "index": number} for number, word in panel.values}
        defaults["mappings"] = [{"type": "value", "options": words}]
    limited = panel.red_from is not None or panel.red_below is not None
    if panel.kind == "timeseries":
        custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
        defaults["custom"] = custom | {"thresholdsStyle": {"mode": "dashed" if limited else "off"}}
        defaults["min"] = 0
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "targets": [_target(panel, number, query) for number, query in enumerate(panel.targets)],
        "fieldConfig": {"defaults": defaults, "overrides": _overrides(panel)},
        "options": _options(panel),
    }


def _target(panel: Panel, number: int, query: Query) -> dict[str, Any]:
    now = panel.kind != "timeseries"
    return {
        "refId": chr(ord("A") + number),
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": now,
        "range": not now,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _thresholds(panel: Panel) -> dict[str, Any]:
    if panel.red_below is not None:
        steps = [{"color": RED, "value": None}, {"color": GREEN, "value": panel.red_below}]
    elif panel.red_from is not None:
        steps = [{"color": GREEN, "value": None}, {"color": RED, "value": panel.red_from}]
    else:
        steps = [{"color": GREEN, "value": None}]
    return {"mode": "absolute", "steps": steps}


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    if panel.kind != "timeseries":
        return []
    overrides = [
        _override("byRegexp", f"/^{arm}/", "color", {"mode": "shades", "fixedColor": colour})
        for arm, colour in ARM_COLOURS.items()
    ]
    if panel.bound is not None:
        line = _override("byName", panel.bound.legend, "color", {"mode": "fixed", "fixedColor": RED})
        line["properties"].append({"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}})
        line["properties"].append({"id": "custom.fillOpacity", "value": 0})
        overrides.append(line)
    return overrides


def _override(matcher: str, options: str, name: str, value: Any) -> dict[str, Any]:
    return {"matcher": {"id": matcher, "options": options}, "properties": [{"id": name, "value": value}]}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
    if panel.kind == "table":
        return {"showHeader": True}
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.series}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _rollbacks() -> dict[str, Any]:
    rolled_back = 'cutover_step_info{phase="rolled_back"}'
    return {
        "name": "rollbacks",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": RED,
        # Not increase(): a counter that appears with its first rollback has no increase.
        "expr": f"{rolled_back} unless {rolled_back} offset 1m",
        "step": "15s",
        "titleFormat": "rollback",
        "textFormat": "{{plan}}, step {{step}}",
    }

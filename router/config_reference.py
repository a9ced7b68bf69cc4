"""The settings for readers: docs/configuration.md, and what is in force, both made from the models in config.py.

python -m router.config_reference > docs/configuration.md
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from .config import Route, Settings
from .durations import seconds
from .rollout.plan import Plan

_INTRODUCTION = """# Configuration

Made from the settings' models by `python -m router.config_reference`; don't edit by hand.

Sources, strongest first: flags of `cutover serve`, `CUTOVER_*` environment variables, `cutover.toml` in the working
directory (or `--config FILE`, or `CUTOVER_CONFIG`), the defaults below. An unknown key is an error that names the
nearest one. Durations are numbers of seconds or text like `250ms`, `10s`, `5m`, `24h`; lists in an environment
variable are separated by commas. `cutover config` prints what is in force.

`CUTOVER_ADMIN_URL` and `CUTOVER_STATE` also tell the operator commands (`status`, `weight`, `audit`) where the router
is and where the token lies.
"""

_ROUTES = """
## [[route]]

Routing rules, the first that matches applies; at most 64. They hold until routes are set over the admin API.
{description}

| key | default | what |
|---|---|---|
{rows}"""


_PLAN = """
## [plan], [[step]], [watch], [[gate]]

What `cutover start` begins: steps, how long each is held, and the gates that must hold; see [rollout.md](rollout.md).
"""


def reference() -> str:
    """docs/configuration.md."""
    parts = [_INTRODUCTION, "## Top level\n", _table((), Settings)]
    for name, field in Settings.model_fields.items():
        section = _section(field)
        if section and name != "plan":
            parts.append(f"## [{name}]\n\n{inspect.getdoc(section)}\n")
            parts.append(_table((name,), section))
    rows = "\n".join(
        f"| `{name}` | {_default(field)} | {_description(field)} |" for name, field in Route.model_fields.items()
    )
    description = (inspect.getdoc(Route) or "").partition("\n\n")[2]
    return "\n".join(parts) + _ROUTES.format(description=description, rows=rows) + "\n" + _PLAN


def effective(settings: Settings) -> str:
    """The settings as a cutover.toml, without secrets."""
    lines: list[str] = []
    for name, value in _visible(settings):
        if not isinstance(value, BaseModel) and name != "route":
            lines.append(_toml(name, value))
    for name, value in _visible(settings):
        if isinstance(value, BaseModel) and name != "plan":
            lines += ["", f"[{name}]", *(_toml(inner, setting) for inner, setting in _visible(value))]
    for route in settings.route:
        lines += ["", "[[route]]", *(_toml(name, value) for name, value in _visible(route))]
    lines += _plan(settings.plan)
    return "\n".join(lines)


def _plan(plan: Plan) -> list[str]:
    """The plan as it stands in a cutover.toml; what isn't set is left out."""
    tree = plan.model_dump(mode="json", by_alias=True, exclude_none=True)
    parts = {name: tree.pop(name) for name in ("step", "gate")}
    lines = ["", "[watch]", *(_toml(name, value) for name, value in tree.pop("watch").items())]
    for title, rows in parts.items():
        for row in rows:
            lines += ["", f"[[{title}]]", *(_toml(name, value) for name, value in row.items() if value != "")]
    return ["", "[plan]", *(_toml(name, value) for name, value in tree.items()), *lines]


def public(model: BaseModel) -> dict[str, Any]:
    """The settings as a JSON tree, without secrets."""
    return {
        name: value.model_dump(mode="json", by_alias=True)
        if name == "plan"
        else public(value)
        if isinstance(value, BaseModel)
        else [public(route) for route in value]
        if name == "route"
        else _plain(value)
        for name, value in _visible(model)
    }


def _visible(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Names and values; of a secret (``repr=False``) only whether it is set."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        yield name, value if field.repr else "(set)" if value else ""


def _toml(name: str, value: Any) -> str:
    if value is None or value == "(set)":
        return f"# {name} is {'not ' if value is None else ''}set"
    return f"{name} = {json.dumps(_plain(value), ensure_ascii=False)}"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _table(path: tuple[str, ...], model: type[BaseModel]) -> str:
    flags = _flags() if not path else {}
    rows = ["| key | default | environment | what |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if _section(field) or name == "route":
            continue
        what = _description(field)
        if name in flags:
            what = f"{what}{'; ' if what else ''}flag `{flags[name]}`"
        variable = "CUTOVER_" + "_".join((*path, name)).upper()
        rows.append(f"| `{name}` | {_default(field)} | `{variable}` | {what} |")
    return "\n".join(rows) + "\n"


def _flags() -> dict[str, str]:
    from .cli import serve

    return {name: "--" + name.replace("_", "-") for name in inspect.signature(serve).parameters}


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _description(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    listed = ", ".join(map(str, choices))
    return "; ".join(filter(None, (field.description, listed)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "number of cores"
    value = field.default
    if value is None or value in ("", ()):
        return "none"
    if any(isinstance(part, BeforeValidator) and part.func is seconds for part in field.metadata):
        return f"`{value:g}s`"
    return f"`{json.dumps(_plain(value))}`"


if __name__ == "__main__":
    print(reference(), end="")

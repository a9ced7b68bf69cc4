"""Plans in files, for `cutover start`: TOML as in cutover.toml, or JSON. What is in them is checked by the router."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from .errors import ConfigError

#: What belongs to a plan in a cutover.toml; the rest of that file is settings.
_PARTS = ("step", "watch", "gate")
_KNOWN = ("plan", *_PARTS)


def read(path: Path) -> dict[str, Any]:
    """The plan as the admin API takes it.

    Raises:
        ConfigError: the file can't be read, or holds no plan.
    """
    try:
        text = path.read_text("utf-8")
        tree = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give the path of a plan in TOML or JSON") from None
    except (OSError, ValueError) as error:  # of TOML, JSON and UTF-8
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(tree, dict) or not any(name in tree for name in (*_PARTS, "plan")):
        raise ConfigError(f"{path}: holds no plan; it needs at least one [[step]]")
    if path.suffix == ".json" and "plan" not in tree:
        return tree
    from .config import Settings, nearest  # late: its import takes longer than most commands

    for name in tree:
        if name not in Settings.model_fields and name not in _PARTS:
            raise ConfigError(f"{path}: {name}: neither part of a plan nor a setting{nearest(name, _KNOWN)}")
    return {**tree.get("plan", {}), **{name: tree[name] for name in _PARTS if name in tree}}

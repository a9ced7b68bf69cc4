"""Reading cases and rules from files; what is wrong is said with file, line and field."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from ..errors import ConfigError
from ..shadow.rules import Rules
from .cases import Case


def read_cases(paths: Sequence[Path]) -> list[Case]:
    """The cases of all files, in order; empty lines and lines that begin with # are left out.

    Raises:
        ConfigError: a file can't be read, a line isn't a case, an id is used twice or `after` names none above.
    """
    cases: dict[str, Case] = {}
    for path in paths:
        for number, case in _lines(path):
            if case.label in cases:
                raise ConfigError(f"{path}:{number}: a second case {case.label!r}; give it an id of its own")
            if case.after is not None and case.after not in cases:
                raise ConfigError(f"{path}:{number}: after: there is no case {case.after!r} above")
            cases[case.label] = case
    if not cases:
        raise ConfigError(f"{', '.join(map(str, paths))}: no cases in it; write one JSON object a line")
    return list(cases.values())


def _lines(path: Path) -> Iterator[tuple[int, Case]]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                yield number, Case.model_validate_json(line)
            except ValidationError as error:
                raise ConfigError(f"{path}:{number}: {_problem(error)}") from None


def read_rules(path: Path | None) -> Rules:
    """The rules of a TOML or JSON file; no rules without a path.

    Raises:
        ConfigError: the file can't be read, or what is in it aren't rules.
    """
    if path is None:
        return Rules()
    text = _text(path)
    try:
        return Rules.model_validate(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))
    except ValidationError as error:
        raise ConfigError(f"{path}: {_problem(error)}") from None
    except ValueError as error:  # of TOML and JSON
        raise ConfigError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _problem(error: ValidationError) -> str:
    """The first thing that is wrong; never the input, which may hold a session."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])

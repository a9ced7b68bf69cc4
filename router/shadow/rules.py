"""Rules for comparing: which places of which routes aren't compared, are sets, or differ without blocking.

What an operator writes is TOML or JSON (verify/files.py reads it); the same models serve the console's clicks.

python -m router.shadow.rules > schemas/rules.schema.json
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .difference import Action, Kind
from .paths import Matcher, State, parse

Treat = Literal["ignore", "type", "set", "allow", "warn", "block"]

_ACTIONS = frozenset(Action)


class Rule(BaseModel):
    """One rule: at `path`, in answers of `route`, treat differences so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(max_length=512, description="place or pattern: $.items[*].id, $..createdAt, headers.vary")
    treat: Treat = Field(
        description="ignore: nothing here or below is compared; type: only whether it is there and its JSON type; "
        "set: the order of the list doesn't matter; allow, warn, block: what a difference exactly here does"
    )
    classes: tuple[Kind, ...] = Field((), description="for allow, warn and block: only these; empty is every class")
    route: str = Field(
        "/*",
        pattern=r"^/[!-~]*$",
        max_length=512,
        description="path of the request: a prefix when it ends in *, else a template whose {name} parts match one "
        "segment; the query isn't part of it",
    )
    methods: tuple[str, ...] = Field((), description="empty is every method")
    why: str = Field("", max_length=500, description="for whoever reads the rules next")

    @field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        parse(path)
        return path

    @model_validator(mode="after")
    def _sound(self) -> Rule:
        if self.classes and self.treat not in _ACTIONS:
            raise ValueError(f"classes go with allow, warn or block, not with treat = {self.treat!r}")
        return self

    def applies(self, method: str, path: str) -> bool:
        """Whether this rule is for a request with that target; its query is left out."""
        return (not self.methods or method in self.methods) and bool(
            re.fullmatch(_route(self.route), path.partition("?")[0], re.DOTALL)
        )


class Rules(BaseModel):
    """A file of rules. Where two say something about one place, the first that applies wins."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    rules: tuple[Rule, ...] = Field((), alias="rule", max_length=1000)
    default: dict[Kind, Action] = Field(
        default_factory=dict, description="what a class does where no rule says; block for classes not named"
    )

    def for_request(self, method: str, path: str, first: Sequence[Rule] = ()) -> Book:
        """What applies to a request's answers; `first` goes before these rules."""
        return Book([*first, *(rule for rule in self.rules if rule.applies(method, path))], self.default)


class Book:
    """The rules of one route, compiled; to be kept and used again where many answers of a route come."""

    def __init__(self, rules: Sequence[Rule], default: Mapping[Kind, Action]) -> None:
        self._rules = rules
        self._default = default
        self._matcher = Matcher([parse(rule.path) for rule in rules])
        self._treats: dict[tuple[int, ...], Treat | None] = {(): None}

    def root(self, name: str) -> State:
        return self._matcher.root(name)

    def treat(self, state: State) -> Treat | None:
        """`ignore`, `type` or `set` where a rule says so."""
        if state.accepts not in self._treats:
            treats = (self._rules[number].treat for number in state.accepts)
            self._treats[state.accepts] = next((treat for treat in treats if treat not in _ACTIONS), None)
        return self._treats[state.accepts]

    def action(self, state: State, kind: Kind) -> Action:
        for number in state.accepts:
            rule = self._rules[number]
            if rule.treat in _ACTIONS and (not rule.classes or kind in rule.classes):
                return Action(rule.treat)
        return self._default.get(kind, Action.BLOCK)


def _route(route: str) -> str:
    parts = re.split(r"(\{[^{}/]*\}|\*$)", route)
    return "".join(".*" if part == "*" else "[^/]+" if part.startswith("{") else re.escape(part) for part in parts)


def json_schema() -> str:
    """JSON Schema of a file of rules, as kept in schemas/rules.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Rules.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")

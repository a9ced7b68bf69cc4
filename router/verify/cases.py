"""A case: one request for both backends, what to take from its answer, and what in it can't be compared.

A file of cases is JSON lines, a case each; files.py reads it. Which cases are sent, and in which order, is order.py's.

python -m router.verify.cases > schemas/cases.schema.json
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ..shadow.answer import Answer
from ..shadow.paths import parse
from ..shadow.rules import Rule, Treat

#: Methods that change nothing by definition (RFC 9110, 9.2.1).
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def _path(text: str) -> str:
    parse(text)
    return text


Paths = tuple[Annotated[str, Field(max_length=512), AfterValidator(_path)], ...]
#: ``json:a.0.b`` (keys and indices), ``cookie:name`` or ``header:name``.
Source = Annotated[str, StringConstraints(pattern=r"^(json|cookie|header):.+$")]


class Case(BaseModel):
    """One line of a file of cases. `${name}` in path, headers and body stands for a captured value."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str = Field("", max_length=200, description="name in reports; by default method and path")
    method: str = Field("GET", pattern=r"^[A-Z]{1,20}$")
    path: str = Field(pattern=r"^/[!-~]*$", max_length=8192, description="with the query")
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    capture: dict[Annotated[str, StringConstraints(pattern=r"^\w+$")], Source] = Field(
        default_factory=dict,
        description="name → json:a.0.b, cookie:name or header:name: values for ${name} in later cases, "
        "each backend's own",
    )
    volatile: Paths = Field((), description="paths of which only presence and JSON type are compared")
    ignore: Paths = Field((), description="paths that aren't compared at all")
    sets: Paths = Field((), alias="set", description="lists whose order doesn't matter")
    writes: bool = Field(False, description="send it though its method isn't safe")
    after: str | None = Field(None, description="id of a case above that must have been sent before")
    status: int | None = Field(
        None, ge=100, le=599, description="what stable must answer, or the case proves nothing and blocks"
    )

    @property
    def label(self) -> str:
        return self.id or f"{self.method} {self.path}"

    @property
    def safe(self) -> bool:
        return self.method in SAFE

    def placeholders(self) -> frozenset[str]:
        return frozenset(
            name for text in (self.path, self.body or "", *self.headers.values()) for name in _PLACEHOLDER.findall(text)
        )

    def rules(self) -> list[Rule]:
        """What the case says about its own answer."""
        said: tuple[tuple[Treat, Paths], ...] = (("type", self.volatile), ("ignore", self.ignore), ("set", self.sets))
        return [Rule(path=path, treat=treat) for treat, paths in said for path in paths]


def filled(template: str, values: Mapping[str, str]) -> str:
    """`template` with its placeholders replaced; all of them must be in `values`."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def captured(case: Case, answer: Answer) -> dict[str, str]:
    """The values that an answer gives; those that it doesn't have are left out."""
    found = {name: _value(answer, *source.split(":", 1)) for name, source in case.capture.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(answer: Answer, kind: str, name: str) -> str | None:
    if kind == "header":
        return answer.header(name.lower()) or None
    if kind == "cookie":
        lines = (value for header, value in answer.headers if header == "set-cookie")
        return next((line.partition(";")[0][len(name) + 1 :] for line in lines if line.startswith(f"{name}=")), None)
    try:
        value: Any = json.loads(answer.body)
        for key in name.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def json_schema() -> str:
    """JSON Schema of one case, as kept in schemas/cases.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Case.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")

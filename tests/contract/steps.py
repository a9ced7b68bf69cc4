"""The record of the Go backend's answers: its steps, and the values that a replay fills into them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parent / "record"
DAY = 86400

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str | None


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` are lower-case names in order, without Date."""

    status: int
    headers: Headers
    body: str


@dataclass(frozen=True, slots=True)
class Step:
    """One request and what Go answered; README.md in record/ explains the rest."""

    id: str
    phase: str
    request: Request
    response: Response
    capture: dict[str, str] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()
    unordered: bool = False
    action: str | None = None

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Step:
        answer = raw["response"]
        return cls(
            raw["id"],
            raw["phase"],
            Request(**raw["request"]),
            Response(answer["status"], [(name, value) for name, value in answer["headers"]], answer["body"]),
            raw.get("capture", {}),
            tuple(raw.get("volatile", ())),
            raw.get("unordered", False),
            raw.get("action"),
        )


@dataclass(frozen=True, slots=True)
class Record:
    secret: str
    phases: dict[str, dict[str, str]]
    steps: list[Step]

    @classmethod
    def load(cls) -> Record:
        raw = json.loads((RECORD / "http.json").read_text())
        return cls(raw["secret"], raw["phases"], [Step.read(step) for step in raw["steps"]])

    def sessions(self) -> dict[str, str]:
        """Cookies that the steps ask for by name: Go's own bytes for ada@example.com, signed again for today.

        Signed here, apart from the backend's code, so that the two check each other.
        """
        text = next(
            value
            for step in self.steps
            for name, value in step.response.headers
            if name == "set-cookie" and value.startswith("session=")
        )
        stamped = base64.urlsafe_b64decode(text[len("session=") : text.index(";")])
        gob = stamped.split(b"|")[1]

        def signed(at: float, secret: str) -> str:
            line = b"%d|%b" % (at, gob)
            mac = hmac.new(secret.encode(), b"session|" + line, hashlib.sha256).digest()
            return base64.urlsafe_b64encode(line + b"|" + mac).decode()

        now = time.time()
        return {
            "session": signed(now, self.secret),  # until a step signs in
            "made_here": signed(now, self.secret),
            "expired": signed(now - 31 * DAY, self.secret),
            "other_secret": signed(now, "another-" + self.secret),
        }


def filled(template: str, values: dict[str, str]) -> str:
    """`template` with each ``${name}`` replaced; one that no answer gave is named in its place."""
    return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], f"no-{match[1]}"), template)


def captured(step: Step, answer: Response) -> dict[str, str]:
    """Values for later steps out of an answer; those that it doesn't have are left out."""
    found = {}
    for name, source in step.capture.items():
        kind, _, key = source.partition(":")
        if kind == "json":
            try:
                found[name] = str(json.loads(answer.body)[key])
            except (ValueError, KeyError, TypeError):
                continue
        else:
            for header, value in answer.headers:
                if header == "set-cookie" and value.startswith(f"{key}="):
                    found[name] = value[len(key) + 1 :].partition(";")[0]
    return found

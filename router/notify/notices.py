"""What is told, and its two forms: Slack's incoming webhooks and CloudEvents 1.0 as structured JSON. Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from ..feed import Decided
from ..health import Change

_TITLES = {
    "start": "started",
    "advance": "goes on",
    "promote": "was promoted",
    "complete": "is complete",
    "rollback": "WAS ROLLED BACK",
    "quarantine": "pinned a route to stable",
    "pause": "was paused",
    "resume": "goes on after a pause",
    "abort": "was aborted",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: `kind` for programs, `title` and `words` for people; `id` is the same in every attempt."""

    id: str
    kind: str
    time: str  # UTC, RFC 3339
    title: str
    words: str
    data: dict[str, Any] = field(default_factory=dict)

    def slack(self) -> bytes:
        """Body for a Slack-compatible incoming webhook."""
        return orjson.dumps({"text": f"*{self.title}*\n{self.words}" if self.words else f"*{self.title}*"})

    def cloud_event(self, source: str) -> bytes:
        """A CloudEvent as JSON; `source` says which router."""
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": source,
                "type": f"cutover.{self.kind}",
                "time": self.time,
                "datacontenttype": "application/json",
                "data": {"title": self.title, "words": self.words, **self.data},
            }
        )


def decision(decided: Decided) -> Notice:
    data = {name: getattr(decided, name) for name in ("rollout", "actor", "action", "step", "percent", "gate")}
    title = f"Rollout {decided.rollout} {_TITLES[decided.action]}: the canary is at {decided.percent:g} %"
    words = f"{decided.words} (step {decided.step}, by {decided.actor})"
    return Notice(f"decision-{decided.id}", f"rollout.{decided.action}", decided.time, title, words, data)


def endpoint(change: Change, time: str, unique: str) -> Notice:
    """An endpoint of the canary went down, or is up again."""
    state = "up again" if change.up else "DOWN"
    data = {"url": change.url, "up": change.up}
    return Notice(unique, "canary.up" if change.up else "canary.down", time, f"Canary {state}", change.reason, data)


def held(rollout: int, step: str, missing: tuple[str, ...], time: str) -> Notice:
    """A step takes much longer than its plan says."""
    title = f"Rollout {rollout} is held in step {step} for longer than planned"
    return Notice(f"held-{rollout}-{step}", "rollout.held", time, title, "; ".join(missing), {"step": step})


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Value of X-Cutover-Signature: HMAC-SHA256 of ``timestamp.body``; the time is signed against replays."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()

"""Who may use the admin API: bearer tokens of two roles, and a brake on guessing them.

The operator's token is CUTOVER_ADMIN_TOKEN or a random one kept beside the state file; where that file is may be
logged, what is in it never.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from loguru import logger

from ..config import Settings
from ..errors import ConfigError

#: Wrong tokens a peer may try at once, and how many more a second.
BURST, REFILL = 20, 1.0

#: Peers remembered; the one not seen for longest is forgotten first.
PEERS_MAX = 1024

#: Failures of one peer go on record at most once in so many seconds, with their number.
RECORD_EVERY = 60.0


class Role(IntEnum):
    """What a token allows; a higher role includes the lower ones."""

    ANYONE = 0
    VIEWER = 1
    OPERATOR = 2


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens in force; an empty one matches nothing."""

    operator: str
    viewer: str

    def role(self, token: str) -> Role:
        """Every comparison is made, each in constant time."""
        given = token.encode("latin-1")  # the bytes that were sent; Starlette decodes fields so
        operator = hmac.compare_digest(given, self.operator.encode()) and bool(self.operator)
        viewer = hmac.compare_digest(given, self.viewer.encode()) and bool(self.viewer)
        return Role.OPERATOR if operator else Role.VIEWER if viewer else Role.ANYONE


def token_file(state: Path) -> Path:
    """Where the operator's token lies when none is configured."""
    return state.with_name(state.name + ".token")


def tokens(settings: Settings) -> Tokens:
    """Tokens from the settings; without one for the operator, the one beside the state file, made if need be."""
    operator = settings.admin_token
    if not operator:
        path = token_file(settings.state)
        operator = kept_token(path)
        logger.info("the operator's token is in {}", path.absolute())
    return Tokens(operator, settings.viewer_token)


def kept_token(path: Path) -> str:
    """The token in `path`; a new random one, readable by this user only, when there is no such file."""
    try:
        if not path.exists():
            _make(path)
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"token file {path}: {error}; fix it, or set CUTOVER_ADMIN_TOKEN") from None
    if not token:
        raise ConfigError(f"token file {path} is empty; delete it to get a new token")
    return token


def _make(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails if another process was faster; then its token counts
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def bearer(authorization: str) -> str | None:
    """The token of an Authorization field (RFC 6750 2.1; the scheme's case doesn't matter), None without one."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(slots=True)
class _Peer:
    allowance: float
    at: float
    unrecorded: int = 0
    recorded_at: float | None = None


class Brake:
    """Slows down each peer's guessing: a token bucket that only wrong tokens empty."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._peers: OrderedDict[str, _Peer] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until the peer may try a token again; 0 when it may now."""
        peer = self._peers.get(_network(address))
        if peer is None:
            return 0.0
        self._refill(peer)
        return 0.0 if peer.allowance >= 1 else (1 - peer.allowance) / REFILL

    def failed(self, address: str) -> int:
        """Count a wrong token; how many to put on record now, or 0 when that can wait."""
        key = _network(address)
        peer = self._peers.setdefault(key, _Peer(BURST, self._monotonic()))
        self._peers.move_to_end(key)
        if len(self._peers) > PEERS_MAX:
            self._peers.popitem(last=False)
        self._refill(peer)
        peer.allowance -= 1
        peer.unrecorded += 1
        if peer.recorded_at is not None and peer.at - peer.recorded_at < RECORD_EVERY:
            return 0
        attempts, peer.unrecorded, peer.recorded_at = peer.unrecorded, 0, peer.at
        return attempts

    def _refill(self, peer: _Peer) -> None:
        now = self._monotonic()
        peer.allowance = min(BURST, peer.allowance + (now - peer.at) * REFILL)
        peer.at = now


def _network(address: str) -> str:
    """An IPv6 user holds a whole /64, so that is one peer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address

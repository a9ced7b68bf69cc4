"""The router's settings: one frozen object, and the only code that reads the environment or cutover.toml.

Sources, strongest first: command-line flags, ``CUTOVER_*`` variables, cutover.toml, the defaults below. A key that
nobody knows is an error that names the nearest one. Anything that changes while the router runs (weight, routes
set over the API) is state, lives in the store and the shared table, and must not be put here.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from .durations import seconds
from .errors import ConfigError
from .rollout.plan import Plan

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=30 * 86400)]
Percent = Annotated[float, Field(ge=0, le=100)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Timeouts(_Section):
    """Deadlines of the data plane, in seconds. They are kept by a sweep every 100 ms, so expect that slack."""

    head: Seconds = Field(
        10, description="whole request head, and a TLS handshake before it; bytes that arrive don't extend it"
    )
    body_idle: Seconds = Field(30, description="longest silence inside a request body")
    keep_alive: Seconds = Field(75, description="idle client connection between requests")
    half_close: Seconds = Field(1, description="wait for an answer after the client closed its sending side")
    connect: Seconds = Field(2, description="TCP and TLS connect to an upstream")
    pool_wait: Seconds = Field(2, description="wait for a free upstream connection, then 503")
    first_byte: Seconds = Field(60, description="request sent to first answer byte, then 504")
    response_idle: Seconds = Field(60, description="longest silence inside an answer; off for event streams")
    upstream_idle: Seconds = Field(4, description="idle upstream connection; keep below the upstream's own")
    write_idle: Seconds = Field(30, description="client that takes no byte of its answer")
    linger: Seconds = Field(5, description="reading what a client still sends after an early answer")
    drain: Seconds = Field(30, description="busy connections at shutdown or reload")


class Limits(_Section):
    """Bounds in bytes or counts; what exceeds them is refused, never truncated."""

    target: int = Field(8 * 1024, ge=64, description="request target, then 414")
    field: int = Field(8 * 1024, ge=64, description="one header field line, then 431")
    head: int = Field(32 * 1024, ge=256, description="whole head, then 431 (502 on answers)")
    fields: int = Field(100, ge=1, description="number of header fields, then 431 (502 on answers)")
    kept_body: int = Field(64 * 1024, ge=0, description="request body kept for a retry or fallback")
    body_rate: int = Field(240, ge=0, description="slowest body sent or taken by a client, bytes/s; 0 is no limit")
    interim: int = Field(16, ge=0, description="1xx answers relayed for one request")
    connections: int = Field(16384, ge=1, description="client connections a worker")
    pool: int = Field(512, ge=1, description="connections a worker opens to one endpoint")
    queue: int = Field(1024, ge=0, description="requests a worker lets wait for an upstream connection, an arm")


class Split(_Section):
    """Who goes where: what identifies a user, and which overrides are allowed."""

    header: str = Field("", description="request header that identifies a user, before any cookie")
    cookie: str = Field("cutover_id", description="cookie that the router issues and reads")
    session_cookie: str = Field("", description="the product's own session cookie, used when ours is missing")
    override: bool = Field(False, description="let X-Cutover-Arm: stable|canary choose the arm")
    override_token: str = Field("", repr=False, description="value X-Cutover-Token must have for an override")
    fallback: bool = Field(True, description="stable answers when the canary can't (only where a repeat is safe)")
    expose_arm: bool = Field(True, description="X-Cutover-Arm on every answer")

    @field_validator("header", "cookie", "session_cookie")
    @classmethod
    def _is_token(cls, value: str) -> str:
        if value and _TOKEN.fullmatch(value) is None:
            raise ValueError(f"{value!r} is not a valid header or cookie name")
        return value


class Health(_Section):
    """Active checks of every endpoint by the supervisor, and passive ejection by the workers."""

    path: str = Field("/ping", pattern=r"^/[!-~]*$", description="any answer below 500 is healthy")
    interval: Annotated[float, BeforeValidator(seconds), Field(ge=0)] = Field(
        2, description="between checks; 0 turns active checks off"
    )
    timeout: Seconds = Field(1, description="one check")
    fall: int = Field(2, ge=1, description="failed checks until an endpoint is down")
    rise: int = Field(2, ge=1, description="good checks until it is up again")
    eject_after: int = Field(5, ge=1, description="consecutive connect failures of a worker until it ejects")
    eject_for: Seconds = Field(2, description="how long a worker leaves an ejected endpoint alone")


class Tls(_Section):
    """TLS on the listener (cert and key) and towards https:// upstreams (ca, verify)."""

    cert: Path | None = Field(None, description="PEM chain of the listener; https when set")
    key: Path | None = Field(None, description="PEM key of the listener")
    upstream_ca: Path | None = Field(None, description="PEM bundle that upstreams are verified against")
    upstream_verify: bool = Field(True, description="verify upstream certificates and names")

    @model_validator(mode="after")
    def _both(self) -> Tls:
        if (self.cert is None) != (self.key is None):
            raise ValueError("tls.cert and tls.key go together; one of them is missing")
        return self


class Notify(_Section):
    """Webhooks that are told of decisions, steps held too long and a canary that is down; docs/rollout.md."""

    webhook: str = Field("", repr=False, description="URL for CloudEvents 1.0 as JSON")
    slack: str = Field("", repr=False, description="URL of a Slack-compatible incoming webhook")
    secret: str = Field("", repr=False, description="key of the HMAC-SHA256 in X-Cutover-Signature")
    held_for: Seconds = Field(6 * 3600, description="longer than its time a step is held before that is told")

    @field_validator("webhook", "slack")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("is not a URL; write http://host/path or https://host/path")
        return value


class Route(_Section):
    """One routing rule; the first that matches a request applies.

    `path` is a prefix when it ends in ``*`` (``/otel/*``), else a template whose ``{name}`` parts match one segment.
    """

    path: str = Field(pattern=r"^/[!-~]*$", max_length=512)
    methods: Names = Field((), description="empty is every method")
    name: str = Field("", max_length=64, description="label in metrics; the path when empty")
    pin: Literal["stable", "canary"] | None = Field(None, description="always this arm")
    percent: Percent | None = Field(None, description="weight of its own")
    mirror: bool | None = Field(None, description="false: never mirrored; true: mirrored though unsafe")
    first_byte: Seconds | None = Field(None, description="instead of timeouts.first_byte")

    @property
    def label(self) -> str:
        return self.name or self.path


def parse_listen(value: str) -> tuple[str, int]:
    """`host:port`, `[v6]:port` or `:port` → (host, port); an empty host means every interface."""
    host, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{value!r} is not an address; write host:port, for example 127.0.0.1:8080")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{value!r}: put an IPv6 address in brackets, for example [::1]:8080")
    return host, int(port)


class Settings(_Section):
    """Everything that is fixed while a router runs; see each field's description."""

    listen: str = Field("127.0.0.1:8080", description="where clients connect")
    admin: str = Field("127.0.0.1:8081", description="where operators and Prometheus connect")
    stable: Names = Field((), description="URLs of the arm that serves today")
    canary: Names = Field((), description="URLs of the arm that is to take over")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=16, description="worker processes")
    compiled: bool = Field(True, description="run workers from the compiled tree if `make compile` made one")
    state: Path = Field(Path("cutover.db"), description="state file: weight, routes, audit")
    admin_token: str = Field("", repr=False, description="operator token; made and kept beside state if empty")
    viewer_token: str = Field("", repr=False, description="read-only token")
    open_metrics: bool = Field(True, description="/metrics, /healthz and /readyz without a token")
    trusted_proxies: Names = Field((), description="peers (CIDR) whose X-Forwarded-* we extend")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "text"
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    split: Split = Split()
    health: Health = Health()
    tls: Tls = Tls()
    notify: Notify = Notify()
    route: tuple[Route, ...] = Field((), max_length=64, description="routes until the API sets others")
    plan: Plan = Field(default_factory=Plan, description="what `cutover start` begins; docs/rollout.md")

    @field_validator("listen", "admin")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_listen(value)
        return value

    @field_validator("stable", "canary")
    @classmethod
    def _urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
                raise ValueError(f"{url!r} is not an upstream; write http://host:port or https://host:port")
            if parts.path not in ("", "/") or parts.query or parts.fragment:
                raise ValueError(f"{url!r} has a path; an upstream is a scheme, host and port only")
            parts.port  # noqa: B018  raises ValueError when it isn't a port
        if len(urls) > 16:
            raise ValueError("at most 16 endpoints an arm")
        return urls

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network, strict=False)
        return networks


def load(flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None) -> Settings:
    """Merge the sources into a `Settings`; raise `ConfigError` with one line a problem."""
    path = file or (Path(environ["CUTOVER_CONFIG"]) if environ.get("CUTOVER_CONFIG") else None)
    merged = _read_file(path) if path else _read_file(Path("cutover.toml"), optional=True)
    _gather_plan(merged)
    origin = {name: str(path or "cutover.toml") for name in merged}
    for name, value in _read_environment(environ):
        _put(merged, name, value)
        origin[name[0]] = "CUTOVER_" + "_".join(name).upper()
    for flag, value in flags.items():
        if value is not None:
            merged[flag] = value
            origin[flag] = "--" + flag.replace("_", "-")
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, origin) for problem in error.errors())) from None


def _read_file(path: Path, optional: bool = False) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if optional:
            return {}
        raise ConfigError(f"{path}: no such file; give --config the path of a cutover.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _gather_plan(tree: dict[str, Any]) -> None:
    """[[step]], [watch] and [[gate]] stand at the top of the file and belong to the plan."""
    parts = {name: tree.pop(name) for name in ("step", "watch", "gate") if name in tree}
    if parts:
        tree["plan"] = {**tree.get("plan", {}), **parts}


# Read by the operator commands or the backend, not settings of the router.
_FOREIGN = re.compile(r"CUTOVER_(CONFIG|ADMIN_URL|BENCH_.*|SQLITE_.*|DUCKDB_.*|BACKEND_.*|VERIFY_.*)")


def _read_environment(environ: Mapping[str, str]) -> list[tuple[list[str], str]]:
    known = {"CUTOVER_" + "_".join(path).upper(): path for path in _paths(Settings)}
    found = []
    for name, value in environ.items():
        if not name.startswith("CUTOVER_") or _FOREIGN.fullmatch(name) or value == "":
            continue
        if name not in known:
            raise ConfigError(f"{name}: no such setting{nearest(name, known)}")
        found.append((known[name], value))
    return found


def _paths(model: type[BaseModel]) -> list[list[str]]:
    paths: list[list[str]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Section):
            paths += [[name, *rest] for rest in _paths(kind)]
        elif name not in ("route", "plan"):
            paths.append([name])
    return paths


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _explain(problem: Any, origin: Mapping[str, str]) -> str:
    location = [str(part) for part in problem["loc"]]
    source = origin.get(location[0], "settings")
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"{source}: {where}: no such setting{nearest(location[-1], _siblings(location))}"
    return f"{source}: {where}: {problem['msg'].removeprefix('Value error, ')}"


def _siblings(location: list[str]) -> list[str]:
    """Names that could stand in place of the last one."""
    models: list[type[BaseModel]] = [Settings]
    for name in location[:-1]:
        fields = [field for model in models for key, field in model.model_fields.items() if name in (key, field.alias)]
        models = [model for field in fields for model in _models(field.annotation)] or models
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _models(kind: Any) -> list[type[BaseModel]]:
    """The models in an annotation."""
    if get_origin(kind) is not None:
        return [model for part in get_args(kind) for model in _models(part)]
    return [kind] if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def nearest(name: str, known: Any) -> str:
    """A hint for an unknown name, to be put behind a message."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; see docs/configuration.md for the ones there are"

"""The backend's settings: one frozen object, and the only code of the backend that reads the environment.

The names are those that the product's users already have in their compose files; ours begin with ``CUTOVER_``. Flags
come before variables, variables before defaults. An empty variable counts as unset, as compose files pass those.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

from .errors import ConfigError


def _list(value: Any) -> Any:
    """`"a, b"` → `("a", "b")`."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]


class Settings(BaseModel):
    """Everything that is fixed while the backend runs; `alias` is the environment variable."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    host: str = Field("0.0.0.0", alias="CUTOVER_BACKEND_HOST", description="address of the HTTP port")  # noqa: S104
    port: int = Field(8000, ge=0, le=65535, alias="CUTOVER_BACKEND_PORT", description="HTTP port; 0 takes a free one")

    session_secret: SecretStr = Field(
        alias="JUNJO_SESSION_SECRET", description="signs session cookies; the same as the Go backend's"
    )
    environment: str = Field("development", alias="JUNJO_ENV", description="`production` sets the cookies' domain")
    auth_domain: str = Field("", alias="JUNJO_PROD_AUTH_DOMAIN", description="domain of session cookies in production")
    allow_origins: Annotated[tuple[str, ...], BeforeValidator(_list)] = Field(
        (), alias="JUNJO_ALLOW_ORIGINS", description="origins of the frontend, with commas; none: any is reflected"
    )

    sqlite_path: Path = Field(Path("/dbdata/sqlite/junjo.db"), alias="SQLITE_DB_PATH", description="users, API keys")
    sqlite_journal: Annotated[Literal["delete", "wal"], BeforeValidator(_lower)] = Field(
        "delete", alias="CUTOVER_SQLITE_JOURNAL", description="`wal` only once the Go backend is gone for good"
    )
    duckdb_path: Path = Field(
        Path("/dbdata/duckdb/otel_data.db"), alias="DUCKDB_PATH", description="spans and state patches"
    )
    duckdb_replica_path: Path | None = Field(
        None,
        alias="CUTOVER_DUCKDB_REPLICA_PATH",
        description="own copy while a peer holds the file; beside it by default",
    )
    duckdb_role: Annotated[Literal["auto", "owner", "follower"], BeforeValidator(_lower)] = Field(
        "auto", alias="CUTOVER_DUCKDB_ROLE", description="`auto` owns DUCKDB_PATH when nobody holds it at start"
    )

    ingestion_address: str = Field(
        "junjo-server-ingestion:50052", alias="INGESTION_GRPC_ADDRESS", description="where spans are read from"
    )
    auth_grpc_address: str = Field(
        "0.0.0.0:50053", alias="AUTH_GRPC_LISTEN_ADDRESS", description="where API keys are validated for ingestion"
    )
    poll_interval: float = Field(5, gt=0, le=3600, alias="SPAN_POLL_INTERVAL", description="seconds between polls")
    batch_size: int = Field(100, ge=1, le=100_000, alias="SPAN_BATCH_SIZE", description="spans read at once")

    openai_key: SecretStr | None = Field(None, alias="OPENAI_API_KEY", description="key for OpenAI")
    anthropic_key: SecretStr | None = Field(None, alias="ANTHROPIC_API_KEY", description="key for Anthropic")
    gemini_key: SecretStr | None = Field(None, alias="GEMINI_API_KEY", description="key for Gemini")
    openai_url: Url = Field("https://api.openai.com/v1", alias="OPENAI_BASE_URL", description="OpenAI's API")
    anthropic_url: Url = Field("https://api.anthropic.com", alias="ANTHROPIC_BASE_URL", description="Anthropic's API")
    gemini_url: Url = Field(
        "https://generativelanguage.googleapis.com", alias="GEMINI_BASE_URL", description="Gemini's API"
    )
    llm_silence: float = Field(
        300, gt=0, le=3600, alias="CUTOVER_LLM_TIMEOUT", description="seconds that an LLM provider may send nothing"
    )

    log_level: Annotated[Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        "INFO", alias="LOG_LEVEL", description="least level that is logged"
    )
    log_format: Annotated[Literal["json", "text"], BeforeValidator(_lower)] = Field(
        "json", alias="LOG_FORMAT", description="`text` for people"
    )
    admin_token: SecretStr | None = Field(
        None, alias="CUTOVER_ADMIN_TOKEN", description="guards the hand-over endpoint; none: it is closed"
    )

    @field_validator("session_secret")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value():
            raise ValueError("must not be empty")
        return value

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def cookie_domain(self) -> str:
        """Domain of session cookies; empty for the host alone."""
        return self.auth_domain if self.production else ""

    @property
    def replica_path(self) -> Path:
        if self.duckdb_replica_path is not None:
            return self.duckdb_replica_path
        return self.duckdb_path.with_name("cutover_replica") / "otel_data.db"


def load(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Settings from flags (by field name; None is unset) over environment variables over defaults.

    Raises:
        ConfigError: names every variable that is missing or wrong, and what it should be.
    """
    values: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        assert field.alias is not None
        if flags.get(name) is not None:
            values[field.alias] = flags[name]
        elif environ.get(field.alias):
            values[field.alias] = environ[field.alias]
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem) for problem in error.errors(include_url=False))) from None


def _explain(problem: Any) -> str:
    """One line for one wrong setting; never its value when it is a secret."""
    name = str(problem["loc"][0])
    if problem["type"] == "missing":
        if name == "JUNJO_SESSION_SECRET":
            return f"{name} is not set; give it the same value as the Go backend has, or sessions won't carry over"
        return f"{name} is not set"
    field = next(each for each in Settings.model_fields.values() if each.alias == name)
    shown = "" if "SecretStr" in str(field.annotation) else f" is {problem['input']!r}, but"
    text = problem["msg"].removeprefix("Value error, ")
    return f"{name}{shown} {text[0].lower()}{text[1:]} ({field.description})"

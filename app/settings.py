"""Settings of one server, read once from ``PALIMPSEST_*`` and frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_BODY_LIMIT = 32 * 1024 * 1024
DEFAULT_GZIP_FLOOR = 16 * 1024


class Settings(BaseSettings):
    """What an operator may choose; every field is also an environment variable."""

    model_config = SettingsConfigDict(env_prefix="PALIMPSEST_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=6333, ge=0, le=65_535)
    data: Path = Path("data")
    body_limit: int = Field(default=DEFAULT_BODY_LIMIT, ge=1024)  # bytes
    # Replies from this size on are compressed when the client accepts it; below, compressing
    # costs more than sending.
    gzip_floor: int = Field(default=DEFAULT_GZIP_FLOOR, ge=0)  # bytes
    threads: int | None = Field(default=None, ge=1)  # of builds and slow searches; None: the cores
    # Of requests, beside filters, which never hold any: left out with a warning, or refused.
    unknown_fields: Literal["ignore", "refuse"] = "ignore"
    # What `GET /` tells; ``app.announced`` says which version whom. Some suites want the title.
    title: str = "palimpsest - vector search server"
    version: str = "1.19.0"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    api_key: SecretStr | None = Field(
        default=None,
        description="Key for everything, one a line when several are valid at once.",
    )
    api_key_file: Path | None = Field(
        default=None,
        description="File of keys for everything, one a line, read again when it changes.",
    )
    read_only_api_key: SecretStr | None = Field(
        default=None,
        description="Key for reading, one a line when several are valid at once.",
    )
    read_only_api_key_file: Path | None = Field(
        default=None,
        description="File of keys for reading, one a line, read again when it changes.",
    )
    jwt_rbac: bool = Field(
        default=False,
        description="Whether tokens (JWT, HS256) signed with a key for everything are accepted.",
    )
    insecure: bool = Field(
        default=False,
        description="Whether to serve beyond loopback without any key.",
    )
    audit_log: Path | None = Field(
        default=None,
        description="File that gets a JSON line for each request: who did what, never its content.",
    )
    rate_limit: int = Field(
        default=0,
        ge=0,
        description="Requests a minute that are let through for each key or token, 0 for no limit.",
    )


class Misconfigured(Exception):
    """Settings that cannot be served with: the text names the variable and says what to do."""

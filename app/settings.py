"""Settings of one server, read once from ``PALIMPSEST_*`` and frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
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

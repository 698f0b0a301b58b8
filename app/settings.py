"""Settings of one server, read once from flags and ``PALIMPSEST_*`` and frozen.

Each field is a flag of ``palimpsest serve``, unless it is a ``SecretStr``, a variable of the
environment, and a row of the table in ``docs/settings.md``: see ``app.options``. Its description is
one sentence, with the unit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from palimpsest.app.options.environment import Environment, refuse_empty
from palimpsest.app.options.option import NO_FLAG
from palimpsest.app.wire.names import host_list, origin_list
from palimpsest.app.wire.servers import server_list
from palimpsest.app.work.sizes import read_size

DEFAULT_BODY_LIMIT = 32 * 1024 * 1024
DEFAULT_GZIP_FLOOR = 16 * 1024
DEFAULT_SNAPSHOT_LIMIT = 100 * 1024**3
SHORTEST, LONGEST = 0.01, 86_400.0  # seconds of time-outs
MOST = 2**40  # of what is counted or measured in bytes: what is meant as no limit, no float loses


def _in_capitals(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseSettings):
    """What an operator may choose."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=6333, ge=0, le=65_535, description="Port to listen on; 0 is any free one."
    )
    data: Path = Field(
        default=Path("data"), description="Folder that everything is kept in; made if need be."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=4_096,
        description="Threads of builds and of slow searches; unset: one a core.",
    )
    body_limit: int = Field(
        default=DEFAULT_BODY_LIMIT,
        ge=1024,
        le=MOST,
        description="Largest body of a request, in bytes.",
    )
    # Below, compressing costs more than sending.
    gzip_floor: int = Field(
        default=DEFAULT_GZIP_FLOOR,
        ge=0,
        le=MOST,
        description="Smallest reply that is compressed for clients that accept it, in bytes.",
    )
    metrics: bool = Field(
        default=True, description="Whether `/metrics` is served, and requests and searches counted."
    )
    metrics_collections: int = Field(
        default=200,
        ge=0,
        le=MOST,
        description="Collections that have series of their own at `/metrics`; searches of others "
        "count together.",
    )
    # Of requests, beside filters, which never hold any.
    unknown_fields: Literal["ignore", "refuse"] = Field(
        default="ignore",
        description="What to do with fields of a body that are unknown: leave them out with a "
        "warning, or refuse the request.",
    )
    ready: Literal["lenient", "strict"] = Field(
        default="lenient",
        description="Whether `/readyz` is 503 only when no collection can be read, or, strictly, "
        "as soon as one is damaged or refuses writes.",
    )
    drain_seconds: float = Field(
        default=0,
        ge=0,
        le=3600,
        description="Seconds to go on serving once asked to stop, while `/readyz` is 503, so that "
        "load balancers see it.",
    )
    # What `GET /` tells; ``app.announced`` says which version whom. Some suites want the title.
    title: str = Field(
        default="palimpsest - vector search server", description="Title that `GET /` tells."
    )
    version: str = Field(
        default="1.19.0",
        description="Version of Qdrant's API that `GET /` tells clients; once set, all of them.",
        json_schema_extra=NO_FLAG,  # `--version` is that of the release
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_in_capitals)
    ] = Field(default="INFO", description="Least severe messages that are logged.")
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Whether lines of the log are for people or, one JSON object each, for "
        "machines.",
    )
    slow_seconds: float = Field(
        default=0,
        ge=0,
        le=LONGEST,
        description="Seconds from which on a request is logged as slow, with what its stages took; "
        "0 for never.",
    )
    trace_ratio: float = Field(
        default=0,
        ge=0,
        le=1,
        description="Share of requests that OpenTelemetry (the extra `otel`) is told of, beside "
        "those whose `traceparent` says so; 0 for none at all.",
    )
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
        le=MOST,
        description="Requests a minute that are let through for each key or token, 0 for no limit.",
    )
    allowed_origins: Annotated[tuple[str, ...], AfterValidator(origin_list)] = Field(
        default=(),
        description="Origins whose web pages may call, as in https://app.example.org, or * for "
        "any; none unless set.",
    )
    allowed_hosts: Annotated[tuple[str, ...], AfterValidator(host_list)] = Field(
        default=(),
        description="Names of hosts that requests may be for beside those of loopback, as in "
        "db.example or *.example, or * for any; unset: any, but without a key on loopback none.",
    )
    header_limit: int = Field(
        default=64 * 1024,
        ge=1024,
        le=MOST,
        description="Bytes of the target and the headers of a request.",
    )
    head_timeout: float = Field(
        default=10.0,
        ge=SHORTEST,
        le=LONGEST,
        description="Seconds in which the head of a request is to come.",
    )
    body_timeout: float = Field(
        default=60.0,
        ge=SHORTEST,
        le=LONGEST,
        description="Seconds in which a body is to come, and one more for each 32 KiB of it.",
    )
    idle_timeout: float = Field(
        default=75.0,
        ge=SHORTEST,
        le=LONGEST,
        description="Seconds until a connection without a request is closed.",
    )
    send_timeout: float = Field(
        default=60.0,
        ge=SHORTEST,
        le=LONGEST,
        description="Seconds until a reply is dropped that its client does not read.",
    )
    connection_limit: int = Field(
        default=20_000,
        ge=1,
        le=MOST,
        description="Connections at once; above, the longest idle one gives way, or else the new.",
    )
    tls_cert: Path | None = Field(
        default=None,
        description="File of the certificate and its chain (PEM) with which to serve https.",
    )
    tls_key: Path | None = Field(
        default=None, description="File of the private key (PEM) of the certificate."
    )
    tls_client_ca: Path | None = Field(
        default=None,
        description="File of the authorities (PEM) whose certificates clients have to show.",
    )

    request_limit: int = Field(
        default=1_024,
        ge=1,
        le=MOST,
        description="Most requests that are answered at once, uploads included.",
    )
    memory_limit: Annotated[int | None, BeforeValidator(read_size)] = Field(
        default=None,
        ge=0,
        description="Memory above which writes are refused, in bytes or as 512MiB, 0 for no limit; "
        "unset: 85 % of the container's or the machine's.",
    )
    batch_limit: int = Field(
        default=100_000,
        ge=1,
        le=MOST,
        description="Most points, ids, vectors, searches or operations of one request.",
    )
    depth_limit: int = Field(
        default=128,
        ge=8,
        le=128,
        description="Most objects and lists inside each other in a body or a payload.",
    )

    scrub_days: float = Field(
        default=7.0,
        ge=0,
        le=3_650,
        description="Days in which every file and row is read once in the background and compared "
        "with its checksum; 0 for never.",
    )
    recall_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of one core in which searches are answered again, exactly, to estimate "
        "how much they find; 0 for never.",
    )
    recall_bytes: Annotated[int, BeforeValidator(read_size)] = Field(
        default=50_000_000,
        ge=1,
        le=MOST,
        description="Bytes of originals a second that are read for it at most, or as 50MB.",
    )
    write_wait: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="Seconds that a write waits at most when rows come faster than they are "
        "sealed; those that would wait longer are refused (429).",
    )

    snapshot_hours: float = Field(
        default=0,
        ge=0,
        le=8_760,
        description="Hours between two snapshots of each collection that the server makes by "
        "itself; 0 for none.",
    )
    snapshot_keep: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="Snapshots of each collection that were made so and are kept, the newest.",
    )
    snapshot_limit: Annotated[int, BeforeValidator(read_size)] = Field(
        default=DEFAULT_SNAPSHOT_LIMIT,
        ge=1,
        le=MOST,
        description="Largest snapshot that is taken from elsewhere, packed and unpacked, in bytes "
        "or as 100GiB.",
    )
    snapshot_origins: Annotated[tuple[str, ...], AfterValidator(server_list)] = Field(
        default=(),
        description="Servers that snapshots may be fetched from by URL, as in "
        "https://backup.example.org; none unless set.",
    )

    embedders: Path | None = Field(
        default=None,
        description="File (TOML) of the models that embed texts, see `docs/embedders.md`; unset: "
        "none but `qdrant/bm25`.",
    )
    storage_snapshot: Path | None = Field(
        default=None,
        description="Snapshot that is restored before the folder is served; one of all "
        "collections brings all of them and the aliases.",
    )
    force_snapshot: bool = Field(
        default=False,
        description="Whether it takes the place of collections that are there, at every start; "
        "else there may be none of its names.",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_empty(cls, value: Any) -> Any:
        return refuse_empty(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is given, then the environment, and nothing else."""
        return init_settings, Environment(settings_cls)


class Misconfigured(Exception):
    """Settings that cannot be served with: the text names the variable and says what to do."""

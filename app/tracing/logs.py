"""How log lines look: for people, or as one JSON object a line for machines.

Either kind says for which request a line was written, where it was written for one.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from palimpsest.app.lines import in_a_line
from palimpsest.app.tracing.trace import CURRENT

Format = Literal["text", "json"]

FIELDS = (
    "palimpsest_fields"  # where a record carries a dict of what a JSON line has beside its text
)


class TextFormatter(logging.Formatter):
    """Time, level, logger, message, and the request's id where there is one.

    Names of collections, and of their folders, may hold line ends, and what moves a cursor.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return a record's line, without what an exception adds."""
        trace = CURRENT.get()
        line = in_a_line(super().formatMessage(record))
        return line if trace is None else f"{line} [request {trace.request_id}]"


class JsonFormatter(logging.Formatter):
    """One object a line; times are UTC, exceptions texts with their line ends escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = CURRENT.get()
        if trace is not None:
            line["request_id"] = trace.request_id
            if trace.trace_id is not None:
                line["trace_id"] = trace.trace_id
        line.update(getattr(record, FIELDS, {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return _encode(line)


def configure(level: str, kind: Format) -> None:
    """Log to the standard error from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if kind == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])


def _encode(line: dict[str, Any]) -> str:
    try:
        return _ENCODER.encode(line).decode()
    except UnicodeEncodeError:  # names of files may hold bytes that are no text
        escaped = {
            name: each.encode(errors="backslashreplace").decode() if isinstance(each, str) else each
            for name, each in line.items()
        }
        return _ENCODER.encode(escaped).decode()


_ENCODER = msgspec.json.Encoder()

"""The stages of a server: opening, serving, draining, ending.

It listens from the first, so that probes are answered while a large folder is being opened. Once
asked to stop it first goes on serving for a while, so that load balancers see that it is not ready;
then it refuses what comes, and ends as soon as the requests under way have ended.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

from palimpsest.app.errors import Refusal

PROBES = frozenset(("/healthz", "/livez", "/readyz"))
OBSERVED = PROBES | {"/metrics"}  # also while it opens, for it may for minutes
RETRY_SECONDS = 1


class Stage(Enum):
    """Where a server is in its life; each text says why it is not ready."""

    OPENING = "the collections are being opened"
    SERVING = ""
    DRAINING = "the server was asked to stop and is about to"
    ENDING = "the server is stopping"


class Life:
    """The stage of one server, entered by who opens it and then by signals; any thread may ask."""

    def __init__(self) -> None:
        self.stage = Stage.OPENING
        self.refuses = True  # all but what is observed; an attribute, for every query reads it
        self.progress: tuple[int, int] | None = None  # collections opened so far, and in all

    def enter(self, stage: Stage) -> None:
        """Begin a stage."""
        self.stage = stage  # first: why it is refused is asked for later
        self.refuses = stage in (Stage.OPENING, Stage.ENDING)

    def opens(self, done: int, total: int) -> None:
        """Note how many collections have been opened, and of how many."""
        self.progress = done, total

    @property
    def why(self) -> str:
        """Why the server is not ready; empty while it serves."""
        if self.stage is not Stage.OPENING or self.progress is None:
            return str(self.stage.value)
        done, total = self.progress
        return f"{self.stage.value} ({done} of {total} so far)"

    def refusal(self, path: str) -> Refusal | None:
        """Return what a request for ``path`` is refused with, None when it can be answered."""
        if not self.refuses or path.rstrip("/") in OBSERVED:
            return None
        return self._refusal()

    def require_open(self) -> None:
        """Raise Refusal (503) while there is no database to ask."""
        if self.stage is Stage.OPENING:
            raise self._refusal()

    def _refusal(self) -> Refusal:
        text = f"Service unavailable: {self.why}; try again in {RETRY_SECONDS} s"
        headers = {"retry-after": str(RETRY_SECONDS), "connection": "close"}
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, text, headers)

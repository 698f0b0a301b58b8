"""What goes wrong between a text and its vector, and what its client is told."""

from __future__ import annotations

from http import HTTPStatus

from palimpsest.app.errors import Refusal

REASONS = ("timeout", "unreachable", "status", "reply", "limit", "suspended", "model")


class EmbeddingFailed(Refusal):
    """A model gave no vectors; nothing was stored.

    ``reason`` is one of ``REASONS``; ``again`` says whether another try may help, not before
    ``after`` seconds where that is known.
    """

    def __init__(
        self,
        reason: str,
        text: str,
        status: int = HTTPStatus.BAD_GATEWAY,
        *,
        again: bool = False,
        after: float | None = None,
    ) -> None:
        headers = {} if after is None else {"retry-after": str(max(1, round(after)))}
        super().__init__(status, text, headers)
        self.reason = reason
        self.again = again
        self.after = after

    def of(self, name: str) -> EmbeddingFailed:
        """Return the same with the embedder named, and what became of the request."""
        text = f"Service error: embedder {name!r}: {self.text}; nothing was stored"
        return EmbeddingFailed(self.reason, text, self.status, again=self.again, after=self.after)

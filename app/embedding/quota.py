"""How much an embedder is asked: calls a minute, texts a day.

Calls wait for their turn; what would be beyond the day is refused before anything is sent. A day is
one of UTC, and counted since the start of the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from time import monotonic, time

from palimpsest.app.embedding.failures import EmbeddingFailed

MINUTE = 60.0
DAY = 86_400.0


class Quota:
    """What one embedder may still be asked; used in the event loop's thread."""

    def __init__(
        self,
        requests_per_minute: int,
        texts_per_day: int,
        patience: float,
        *,
        clock: Callable[[], float] = monotonic,
        today: Callable[[], float] = time,
    ) -> None:
        """Take the limits, 0 for none.

        Args:
            requests_per_minute: calls that begin within any 60 s.
            texts_per_day: texts in one day of UTC.
            patience: seconds that a call waits for its turn at most.
            clock: tells seconds, for calls.
            today: tells seconds since 1970, for days.
        """
        self._calls, self._texts, self._patience = requests_per_minute, texts_per_day, patience
        self._clock, self._today = clock, today
        self._turns: deque[float] = deque(maxlen=requests_per_minute or 1)  # when each began
        self._day, self._taken = -1, 0

    def take(self, texts: int) -> None:
        """Count texts in. Raises EmbeddingFailed, 429, where the day has no room for them."""
        if not self._texts:
            return
        day, into = divmod(self._today(), DAY)
        if day != self._day:
            self._day, self._taken = int(day), 0
        if self._taken + texts > self._texts:
            raise EmbeddingFailed(
                "limit",
                f"{texts} more texts are beyond its {self._texts} a day (texts_per_day)",
                HTTPStatus.TOO_MANY_REQUESTS,
                after=DAY - into,
            )
        self._taken += texts

    async def turn(self) -> None:
        """Wait until a call may begin. Raises EmbeddingFailed, 429, where that takes too long."""
        if not self._calls:
            return
        now = begins = self._clock()
        if len(self._turns) == self._calls:
            begins = max(now, self._turns[0] + MINUTE)
        if begins - now > self._patience:
            raise EmbeddingFailed(
                "limit",
                f"more calls than its {self._calls} a minute (requests_per_minute) wait",
                HTTPStatus.TOO_MANY_REQUESTS,
                after=begins - now,
            )
        # Taken before it is waited for: whoever comes meanwhile gets the turn after it.
        self._turns.append(begins)
        if begins > now:
            await asyncio.sleep(begins - now)

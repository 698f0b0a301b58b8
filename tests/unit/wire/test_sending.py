"""How long a client has hardly read: time runs from when it last took a good piece."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from palimpsest.app.wire.sending import UNREAD, Unread


class Buffer:
    """A transport of which so many bytes are left, on no socket."""

    def __init__(self) -> None:
        self.left = 0

    def get_write_buffer_size(self) -> int:
        return self.left

    def get_extra_info(self, name: str) -> Any:
        return None


def test_time_runs_while_little_is_read() -> None:
    buffer, unread = Buffer(), Unread()

    def seconds(left: int, now: float) -> float:
        buffer.left = left
        return unread.seconds(cast(asyncio.Transport, buffer), now)

    assert seconds(0, 5) == 0
    assert seconds(10 * UNREAD, 10) == 0
    assert seconds(10 * UNREAD - 1, 13) == 3
    assert seconds(9 * UNREAD + 1, 15) == 5  # byte by byte is not reading
    assert seconds(9 * UNREAD, 20) == 0
    assert seconds(9 * UNREAD, 21.5) == 1.5
    assert seconds(0, 30) == 0
    assert seconds(1, 40) == 0  # another reply begins its own time
    assert seconds(1, 41) == 1

"""Batches to a server, several at once, told as done in their order.

A point that stands twice ends as it stands last: a batch waits for those under way that hold one of
its points. What is told as done is all of the source up to there, so whoever goes on after it
leaves nothing out; what was under way is written again, which changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from palimpsest.app.transfer.batches import Batch

AHEAD = 2  # batches for each connection, so that none waits for the slowest


def send_all(
    batches: Iterable[Batch],
    write: Callable[[Batch], None],
    connections: int,
    stop: Callable[[], None],
) -> Generator[Batch]:
    """Write batches in threads, and give each once it and all before it are written.

    What ``write`` or ``batches`` raises is raised when all before it has been given; ``stop`` then
    ends the waits of what is under way, which is waited for.
    """
    pool = ThreadPoolExecutor(connections, "sending")
    flying: deque[tuple[Batch, Future[None]]] = deque()

    def landed() -> Batch:
        batch, future = flying[0]
        future.result()
        flying.popleft()
        return batch

    try:
        source = iter(batches)
        while True:
            try:
                batch = next(source, None)
            except BaseException:
                while flying:
                    yield landed()
                raise
            if batch is None:
                break
            while flying and (
                len(flying) >= AHEAD * connections
                or flying[0][1].done()
                or any(not batch.ids.isdisjoint(other.ids) for other, _ in flying)
            ):
                yield landed()
            flying.append((batch, pool.submit(write, batch)))
        while flying:
            yield landed()
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)

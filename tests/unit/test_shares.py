from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait

import pytest

from palimpsest.app.shares import Shares

SOON = 20  # seconds, for what takes none


@pytest.fixture
def shares() -> Iterator[Shares]:
    shares = Shares(2, beyond=2)
    yield shares
    assert shares.close(SOON)


@pytest.fixture
def ending() -> Iterator[threading.Event]:
    """Set, at the latest, when the test ends."""
    ending = threading.Event()
    yield ending
    ending.set()


def test_results_and_errors_come_back(shares: Shares) -> None:
    assert shares.of("a").submit(lambda: 5).result(SOON) == 5
    assert shares.of("a").submit(divmod, 7, 2).result(SOON) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        shares.of("a").submit(lambda: 1 // 0).result(SOON)


def test_work_that_does_not_end_leaves_threads_to_others(
    shares: Shares, ending: threading.Event
) -> None:
    stuck = [shares.of("stuck").submit(ending.wait) for _ in range(10)]
    assert shares.of("b").submit(lambda: 1).result(SOON) == 1
    also = [shares.of("also stuck").submit(ending.wait) for _ in range(10)]
    assert shares.of("c").submit(lambda: 2).result(SOON) == 2
    assert not any(one.done() for one in (*stuck, *also))
    ending.set()
    assert not wait([*stuck, *also], SOON).not_done


def test_one_collection_has_the_usual_threads_and_no_more(
    shares: Shares, ending: threading.Event
) -> None:
    begun = threading.Semaphore(0)

    def work() -> None:
        begun.release()
        ending.wait()

    futures = [shares.of("a").submit(work) for _ in range(6)]
    assert begun.acquire(timeout=SOON) and begun.acquire(timeout=SOON)
    assert not begun.acquire(timeout=0.1)
    ending.set()
    assert not wait(futures, SOON).not_done


def test_lines_take_turns(ending: threading.Event) -> None:
    shares = Shares(1, beyond=0)
    order: list[str] = []
    first = shares.of("a").submit(ending.wait)
    rest = [shares.of("a").submit(order.append, "a") for _ in range(3)]
    rest += [shares.of("b").submit(order.append, "b") for _ in range(2)]
    ending.set()
    assert not wait([first, *rest], SOON).not_done
    assert order in (list("ababa"), list("babaa"))
    assert shares.close(SOON)


def test_work_given_up_before_its_turn_never_begins(
    shares: Shares, ending: threading.Event
) -> None:
    stuck = [shares.of("a").submit(ending.wait) for _ in range(2)]
    begun: list[int] = []
    last = shares.of("a").submit(begun.append, 1)
    assert last.cancel()
    ending.set()
    wait(stuck, SOON)
    assert shares.close(SOON)
    assert begun == []


def test_closing_carries_out_what_waits_and_tells_of_what_does_not_end(
    ending: threading.Event,
) -> None:
    shares = Shares(1)
    done: list[int] = []
    shares.of("a").submit(time.sleep, 0.05)
    shares.of("a").submit(done.append, 1)
    assert shares.close(SOON)
    assert done == [1]
    with pytest.raises(RuntimeError):
        shares.of("a").submit(lambda: 1)
    late = Shares(1)
    late.of("a").submit(ending.wait)
    assert not late.close(0.05)


def test_much_work_of_many_all_ends(shares: Shares) -> None:
    futures = [shares.of(f"c{n % 7}").submit(lambda n=n: n) for n in range(5_000)]
    assert [one.result(SOON) for one in futures] == [*range(5_000)]


def test_what_waits_and_what_is_busy_is_told(shares: Shares, ending: threading.Event) -> None:
    assert shares.load() == (0, 0, 0)
    begun = threading.Barrier(2)
    running = shares.of("a").submit(lambda: (begun.wait(SOON), ending.wait(SOON)))
    begun.wait(SOON)
    assert shares.load().busy == 1
    stuck = [shares.of("a").submit(ending.wait, SOON) for _ in range(9)]
    load = shares.load()
    assert load.waiting + load.busy == 10
    assert load.busy <= load.threads <= 4
    ending.set()
    wait([running, *stuck], SOON)

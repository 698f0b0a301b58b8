"""Every native call that searches ends soon once its thread is asked to stop, and only then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from palimpsest.index import _native
from palimpsest.index.stops import Stop, Stopped, check_stop, checked, stopping
from tests.native.calls import Call, native_calls

ROWS = 200_000  # a scan of them takes some milliseconds
ATTEMPTS = 200
WRITES = (
    "encode",
    "documents",
    "build",
    "encode_tokens",
    "ward",
    "nearest",
)  # of writes and upkeep, which are never stopped so
SEARCHES = (
    "walk",
    "scan",
    "exact",
    "scan_among",
    "exact_among",
    "wide",
    "two_hops",
    "rows",
    "score",
    "decode",
    "estimate",
    "query",
    "best",
    "sums",
    "counts",
    "decode_tokens",
    "max_sims",
    "exact_max_sims",
    "parts",
    "lists",
    "compared",
    "gains",
)


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    return native_calls(ROWS)


@pytest.fixture
def stopped() -> Iterator[None]:
    stop = Stop()
    stop.set()
    with stopping(stop):
        yield


def test_every_call_is_named_here(calls: dict[str, Call]) -> None:
    assert sorted(calls) == sorted((*SEARCHES, *WRITES))


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", SEARCHES)
def test_a_call_of_a_stopped_thread_raises(calls: dict[str, Call], name: str) -> None:
    with pytest.raises(Stopped):
        calls[name]()


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", WRITES)
def test_writes_are_not_stopped(calls: dict[str, Call], name: str) -> None:
    calls[name]()


@pytest.mark.parametrize("name", SEARCHES)
def test_a_call_stops_on_the_way(calls: dict[str, Call], name: str) -> None:
    """The flag is set while the call runs, long after what it looks at first."""
    seconds = min(seconds_of(calls[name]) for _ in range(5)) / 3
    assert any(stops_on_the_way(calls[name], seconds) for _ in range(ATTEMPTS))


def seconds_of(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def stops_on_the_way(call: Call, seconds: float) -> bool:
    """Tell whether a call raised that had run for so long when its flag was set."""
    stop, entered = Stop(), threading.Event()
    began: list[float] = []
    raised: list[bool] = []

    def run() -> None:
        with stopping(stop):
            entered.set()
            try:
                began.append(time.perf_counter())
                call()
            except Stopped:
                raised.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    entered.wait()
    time.sleep(seconds)
    ran = bool(began) and time.perf_counter() - began[0] >= seconds / 2
    stop.set()
    thread.join()
    return ran and bool(raised)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_call_after_a_stopped_one_answers_as_before(calls: dict[str, Call], name: str) -> None:
    before = repr(calls[name]())
    stop = Stop()
    stop.set()
    with stopping(stop), pytest.raises(Stopped):
        calls[name]()
    assert repr(calls[name]()) == before


def test_a_stop_is_of_one_thread_and_ends_with_its_block(calls: dict[str, Call]) -> None:
    stop = Stop()
    stop.set()
    failed: list[BaseException] = []

    def other() -> None:
        try:
            calls["exact"]()
        except BaseException as error:
            failed.append(error)

    with stopping(stop):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with stopping(None):
            check_stop()
        with pytest.raises(Stopped):
            check_stop()
    check_stop()
    assert not failed and stop.is_set()


def test_the_native_side_forgets_a_stop_that_is_gone() -> None:
    for _ in range(1_000):
        with stopping(Stop()):
            check_stop()
    assert not _native.is_stopped()


def test_items_are_checked_on_the_way() -> None:
    stop = Stop()
    seen = 0
    with stopping(stop), pytest.raises(Stopped):
        for seen in checked(np.arange(10_000).tolist()):
            if seen == 3_000:
                stop.set()
    assert 3_000 <= seen < 4_000

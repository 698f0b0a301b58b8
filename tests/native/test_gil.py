"""Heavy calls leave the interpreter to other threads while they run, so searches overlap."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from palimpsest.index import _native
from tests.native.calls import Call, native_calls

ATTEMPTS = 200


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    return native_calls()


@pytest.fixture
def no_forced_switches() -> Iterator[None]:
    """Let threads lose the interpreter only where they give it away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(3_600)
    yield
    sys.setswitchinterval(before)


def overlaps(first: Call, second: Call) -> bool:
    """Tell whether ``second`` was called, in this thread, while another was inside ``first``."""
    entered = [0]  # calls of `second` so far
    seen: list[int] = []  # that number right before and right after `first`
    started, done = threading.Event(), threading.Event()

    def run() -> None:
        started.set()
        seen.append(entered[0])
        first()
        seen.append(entered[0])
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    while not done.is_set():
        entered[0] += 1
        second()
        time.sleep(0)  # gives the interpreter away, as nothing else does
    thread.join()
    return seen[1] > seen[0]


@pytest.mark.usefixtures("no_forced_switches")
@pytest.mark.parametrize(
    "name",
    [
        "walk",
        "scan",
        "exact",
        "scan_among",
        "exact_among",
        "wide",
        "two_hops",
        "rows",
        "score",
        "encode",
        "decode",
        "estimate",
        "documents",
        "query",
        "build",
        "best",
        "sums",
        "counts",
        "encode_tokens",
        "decode_tokens",
        "max_sims",
        "exact_max_sims",
        "parts",
        "ward",
    ],
)
def test_another_thread_runs_meanwhile(calls: dict[str, Call], name: str) -> None:
    """Python code runs between the start and the end of one call; a long enough one shows it."""
    assert any(overlaps(calls[name], lambda: None) for _ in range(ATTEMPTS))


@pytest.mark.usefixtures("no_forced_switches")
@pytest.mark.parametrize("name", ["walk", "scan", "exact"])
def test_two_searches_overlap(calls: dict[str, Call], name: str) -> None:
    assert any(overlaps(calls[name], calls["estimate"]) for _ in range(ATTEMPTS))


@pytest.mark.usefixtures("no_forced_switches")
def test_calls_that_keep_the_interpreter_do_not_overlap() -> None:
    """The test of the test: without a call that lets go, nothing else runs."""
    text = b"[" + b"1.5," * 50_000 + b"1]"
    out = np.empty(50_001, np.float32)
    assert not any(
        overlaps(lambda: _native.parse_floats_into(text, out), lambda: None) for _ in range(50)
    )

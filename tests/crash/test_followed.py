"""A follower in another process comes to what a writer committed, also when that is killed.

The writer is another process, which replaces and removes segments while they are being opened.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index.upkeep.follower import Follower
from tests.conftest import open_collection
from tests.following import state_of

ROOT = Path(__file__).parents[2]
LOOKS = 40
LONGEST_PAUSE = 0.02  # seconds between two looks


@pytest.mark.parametrize("seed", range(3))
def test_a_follower_stands_where_a_killed_writer_stood(tmp_path: Path, seed: int) -> None:
    folder, draw = tmp_path / "c", random.Random(seed)
    command = [sys.executable, "-m", "tests.crash.followed", str(folder), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None and writer.stdout.readline() == "\n"
            with closing(Follower(folder)) as always:
                seqs = []
                for _ in range(LOOKS):
                    view = always.follow()
                    assert len(view.live) == view.points
                    seqs.append(view.seq)
                    time.sleep(draw.uniform(0, LONGEST_PAUSE))
                writer.send_signal(signal.SIGKILL)
                writer.wait()
                assert seqs == sorted(seqs) and len({*seqs}) > 3
                last = state_of(always.follow())
                with closing(Follower(folder)) as fresh:
                    assert state_of(fresh.follow()) == last
                reopened = open_collection(folder)
                assert state_of(reopened.view) == last
                assert state_of(always.follow()) == last
                reopened.close()
        finally:
            writer.kill()

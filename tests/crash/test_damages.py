"""Files of a data directory are damaged at random; no answer is wrong in silence, nothing is lost.

A trial turns one bit over, or cuts, loses, exchanges, turns back or lengthens a file, of a
directory that a stop or a kill left. It holds all answers against those of an undamaged twin.

``PALIMPSEST_FLIPS`` and ``PALIMPSEST_DAMAGES`` say how many trials; ``PALIMPSEST_DAMAGE_SEED`` says
which, and is printed. ``PALIMPSEST_DAMAGE_TRIALS`` (numbers, with commas) runs some of them alone.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.crash.harming import DAMAGES, Damaging, flip
from tests.crash.questions import Truth, Wrong
from tests.crash.stage import Stage
from tests.crash.starter import Starter
from tests.crash.trial import Trials

FLIPS = int(os.environ.get("PALIMPSEST_FLIPS", "10"))
FILES = int(os.environ.get("PALIMPSEST_DAMAGES", "8"))
SEED = os.environ.get("PALIMPSEST_DAMAGE_SEED", str(random.SystemRandom().randrange(10**6)))
ONLY = os.environ.get("PALIMPSEST_DAMAGE_TRIALS")
WORKERS = 2


def numbers(trials: int) -> list[int]:
    return list(range(trials)) if ONLY is None else [int(one) for one in ONLY.split(",")]


def carry_out(
    kinds: Sequence[Damaging], trials: Sequence[int], stage: Stage, truth: Truth, base: Path
) -> Counter[str]:
    """Carry trials out, some at a time; return how many ended how."""
    print(f"PALIMPSEST_DAMAGE_SEED={SEED}")  # noqa: T201
    seen: Counter[str] = Counter()
    wrong: list[str] = []

    def work(own: Sequence[int], folder: Path) -> None:
        folder.mkdir()
        starter = Starter()
        try:
            running = Trials(stage, truth, starter, folder)
            for number in own:
                damaging = kinds[number % len(kinds)]
                try:
                    seen[running.run(damaging, f"{SEED} {number}")] += 1
                except Wrong as error:
                    wrong.append(f"trial {number}: {error}")
                    print(wrong[-1])  # noqa: T201
        finally:
            starter.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        parts = [
            pool.submit(work, trials[place::WORKERS], base / str(place)) for place in range(WORKERS)
        ]
    for part in parts:
        part.result()
    print(dict(seen), f"{len(wrong)} wrong")  # noqa: T201
    assert not wrong, "\n".join(wrong)
    return seen


def test_a_flipped_bit_is_found_or_changes_nothing(
    stage: Stage, truth: Truth, tmp_path: Path
) -> None:
    carry_out([flip], numbers(FLIPS), stage, truth, tmp_path)


def test_a_damaged_file_is_found_or_changes_nothing(
    stage: Stage, truth: Truth, tmp_path: Path
) -> None:
    carry_out([*DAMAGES.values()], numbers(FILES), stage, truth, tmp_path)

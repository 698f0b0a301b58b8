"""Every file that is read back from a disk, changed in seeded ways: refused, or answered rightly.

``PALIMPSEST_FUZZ`` says how many trials; `make fuzz` makes many. A trial that fails names its seed,
and ``PALIMPSEST_FUZZ_SEED`` begins there.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.mutations import MUTATIONS, mutated
from tests.fuzz.trial import GOLDEN, REFUSED, RIGHT, ask, drawn, files_of, run, unpack

TRIALS = int(os.environ.get("PALIMPSEST_FUZZ", "12"))
SEED = int(os.environ.get("PALIMPSEST_FUZZ_SEED", "1"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {name: tmp_path_factory.mktemp(name) for name in GOLDEN}
    for name, folder in made.items():
        unpack(name, folder)
    return made


@pytest.fixture(scope="module")
def expected(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the directories answer, by a child as any other: nothing is opened in this process."""
    return {name: ask(folder) for name, folder in folders.items()}


def test_a_changed_file_is_refused_or_answered_rightly(
    folders: dict[str, Path], expected: Any, tmp_path: Path
) -> None:
    ended, failures = Counter[str](), []
    for seed in range(SEED, SEED + TRIALS):
        trial = drawn(seed, folders)
        status, said = run(trial, folders[trial.golden], tmp_path, expected[trial.golden])
        ended[f"{trial.file.name} {'sealed' if trial.sealed else ''} {status}"] += 1
        if status not in (RIGHT, REFUSED):
            failures.append(f"{trial}\nended with {status}: {said[-3_000:]}")
    assert not failures, f"{len(failures)} of {TRIALS}\n" + "\n\n".join(failures[:10])


def test_every_kind_of_file_is_drawn(folders: dict[str, Path]) -> None:
    kinds = {(name, file.name) for name, folder in folders.items() for file in files_of(folder)}
    found = {(one.golden, one.file.name) for one in (drawn(n, folders) for n in range(3_000))}
    assert found == kinds and {"store.sqlite3", "store.reach"} <= {name for _, name in kinds}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_any_content(name: str) -> None:
    rng = random.Random(1)
    contents = [b"\1", b"{'shape': (12, 3)}", bytes(range(256)) * 64]
    assert all(mutated(content, rng)[1] != content for content in contents for _ in range(50))
    changed = bytearray(contents[2])
    for _ in range(50):
        MUTATIONS[name](changed, rng)
        changed = changed or bytearray(contents[2])
    assert bytes(changed) != contents[2]

"""Trials of the trials: a server with a check that is broken on purpose is found out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from palimpsest.index.storage.schema import connect_frozen
from tests.crash.harming import Damaging, Harm
from tests.crash.questions import Truth, Wrong
from tests.crash.stage import PLAIN, Stage
from tests.crash.starter import Starter
from tests.crash.trial import Trials

SEED = "b"  # by which the directory that was stopped in peace is drawn


def turn(data: Path, file: Path, place: int) -> Harm:
    text = bytearray((data / file).read_bytes())
    text[place] ^= 1 << 4
    (data / file).write_bytes(text)
    return Harm(f"byte {place} of {file}", (file,))


def hurt_vector(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Change a kept vector."""
    (file, *_) = sorted((data / "collections" / PLAIN / "segments").glob("*/kept.npy"))
    return turn(data, file.relative_to(data), file.stat().st_size - 1)


def hurt_payload(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Change a letter of a payload."""
    file = data / "collections" / PLAIN / "store.sqlite3"
    with closing(connect_frozen(file)) as connection:
        fortieth = "SELECT payload FROM points ORDER BY number LIMIT 1 OFFSET 40"
        (payload,) = connection.execute(fortieth).fetchone()
    place = file.read_bytes().rindex(payload) + payload.index(b'"n"')
    return turn(data, file.relative_to(data), place)


@contextmanager
def trials(stage: Stage, truth: Truth, base: Path, blind: str | None) -> Iterator[Trials]:
    starter = Starter(blind)
    try:
        base.mkdir(exist_ok=True)
        yield Trials(stage, truth, starter, base)
    finally:
        starter.close()


@pytest.mark.parametrize(
    ("damaging", "blind", "told"),
    [
        (hurt_vector, "files", "plain: retrieve"),
        (hurt_payload, "rows", "plain: retrieve"),
        (hurt_vector, "refused", "of a refused collection is gone"),
    ],
)
def test_a_check_that_is_broken_is_found_out(
    damaging: Damaging, blind: str, told: str, stage: Stage, truth: Truth, tmp_path: Path
) -> None:
    with trials(stage, truth, tmp_path / "whole", None) as whole:
        assert whole.run(damaging, SEED) in ("named", "repaired")
    with (
        trials(stage, truth, tmp_path / "blind", blind) as broken,
        pytest.raises(Wrong, match=told),
    ):
        broken.run(damaging, SEED)

"""Ways a log, or the record beside it, may be other than it was written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STORE, LOG, RECORD = "store.sqlite3", "store.sqlite3-wal", "store.reach"
FRAME = 24 + 4_096


@dataclass(frozen=True)
class Trial:
    """A copy of a collection's folder, and what may be put into it."""

    folder: Path
    before: Path  # the same collection, some commits earlier
    other: Path  # another collection
    rng: np.random.Generator

    def text(self, name: str) -> bytearray:
        return bytearray((self.folder / name).read_bytes())

    def write(self, name: str, text: bytes | bytearray) -> None:
        (self.folder / name).write_bytes(text)

    def take(self, name: str, source: Path) -> None:
        if (source / name).exists():
            shutil.copy(source / name, self.folder / name)
        else:
            (self.folder / name).unlink(missing_ok=True)


def flip(trial: Trial, name: str, limit: int | None = None) -> None:
    text = trial.text(name)
    if text:
        place = int(trial.rng.integers(min(len(text), limit or len(text))))
        text[place] ^= 1 << int(trial.rng.integers(8))
        trial.write(name, text)


def cut(trial: Trial, name: str) -> None:
    text = trial.text(name)
    trial.write(name, text[: int(trial.rng.integers(len(text) + 1))])


def lose(trial: Trial, name: str) -> None:
    (trial.folder / name).unlink()


def clear(trial: Trial, name: str) -> None:
    """Put zeros in the place of some bytes: a sector that was never written."""
    text = trial.text(name)
    start = int(trial.rng.integers(len(text) + 1))
    length = min(int(trial.rng.integers(1, 5_000)), len(text) - start)
    text[start : start + length] = bytes(length)
    trial.write(name, text)


def append_noise(trial: Trial) -> None:
    noise = trial.rng.bytes(int(trial.rng.integers(1, 3 * FRAME)))
    trial.write(LOG, trial.text(LOG) + noise)


def append_frames(trial: Trial) -> None:
    text = trial.text(LOG)
    frames = (len(text) - 32) // FRAME
    for _ in range(int(trial.rng.integers(1, 5)) if frames > 0 else 0):
        start = 32 + FRAME * int(trial.rng.integers(frames))
        text += text[start : start + FRAME]
    trial.write(LOG, text)


def exchange_frames(trial: Trial) -> None:
    text = trial.text(LOG)
    frames = (len(text) - 32) // FRAME
    if frames > 1:
        one, other = (32 + FRAME * int(place) for place in trial.rng.choice(frames, 2, False))
        kept = text[one : one + FRAME]
        text[one : one + FRAME] = text[other : other + FRAME]
        text[other : other + FRAME] = kept
        trial.write(LOG, text)


DAMAGE: Mapping[str, Callable[[Trial], None]] = {
    "a flipped bit in the log": lambda trial: flip(trial, LOG),
    "a flipped bit at the log's beginning": lambda trial: flip(trial, LOG, 32 + FRAME),
    "a flipped bit in the record": lambda trial: flip(trial, RECORD),
    "a log cut short": lambda trial: cut(trial, LOG),
    "a record cut short": lambda trial: cut(trial, RECORD),
    "no log": lambda trial: lose(trial, LOG),
    "no record": lambda trial: lose(trial, RECORD),
    "zeros in the log": lambda trial: clear(trial, LOG),
    "zeros in the record": lambda trial: clear(trial, RECORD),
    "noise behind the log": append_noise,
    "frames behind the log": append_frames,
    "frames in another order": exchange_frames,
    "the log of another": lambda trial: trial.take(LOG, trial.other),
    "the record of another": lambda trial: trial.take(RECORD, trial.other),
    "the database of another": lambda trial: trial.take(STORE, trial.other),
    "an earlier log": lambda trial: trial.take(LOG, trial.before),
    "an earlier record": lambda trial: trial.take(RECORD, trial.before),
    "an earlier database": lambda trial: trial.take(STORE, trial.before),
    "an empty database": lambda trial: trial.write(STORE, b""),
}

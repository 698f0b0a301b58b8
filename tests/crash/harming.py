"""Draws a file of a data directory and damages it: every kind of file that is there.

Kinds are read off the directory, so that a new kind of file is damaged too.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.crash.stage import HURT, Stage

# How often files are drawn, by the first part of their kind that is here; others weigh 2.
WEIGHTS = {
    "store.sqlite3": 8,
    "store.sqlite3-wal": 6,
    "store.reach": 3,
    "store.sqlite3-shm": 1,
    "segments": 9,
    "fields": 4,
    "adapters": 3,
    "lost+found": 1,
    "lock": 1,
    "reserve": 1,
}
HEAD = 200  # bytes: of a file's own header, hit more often than by chance
_DRAWN_NAME = re.compile(r"[0-9a-f]{32}")


Damaging: TypeAlias = Callable[[Path, Stage, random.Random], "Harm"]


@dataclass(frozen=True)
class Harm:
    """What was done: the files that are not as they were, and words for it."""

    text: str
    files: tuple[Path, ...]  # relative to the data directory

    def undo(self, data: Path, source: Path) -> None:
        """Bring the files back, as from a backup."""
        for file in self.files:
            target = data / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / file, target)


def files_of(data: Path) -> list[Path]:
    """Return the files that may be damaged, relative; those of the well collection may not."""
    found = sorted(path.relative_to(data) for path in data.rglob("*") if path.is_file())
    return [one for one in found if one.parts[0] != "collections" or one.parts[1] in HURT]


def kind_of(file: Path) -> str:
    """Return what files have in common whose names are drawn, and those of other collections."""
    parts = ["*" if _DRAWN_NAME.search(part) else part for part in file.parts]
    if parts[0] == "collections":
        parts[1] = "*"
    return "/".join(parts)


def group_of(kind: str) -> str:
    parts = kind.split("/")
    return parts[2] if parts[0] == "collections" else parts[0]


def draw_file(data: Path, rng: random.Random, files: Sequence[Path]) -> Path:
    """Draw a group, a kind of it, and a file of that kind."""
    kinds: dict[str, dict[str, list[Path]]] = {}
    for file in files:
        kind = kind_of(file)
        kinds.setdefault(group_of(kind), {}).setdefault(kind, []).append(file)
    groups = sorted(kinds)
    (group,) = rng.choices(groups, [WEIGHTS.get(one, 2) for one in groups])
    kind = rng.choice(sorted(kinds[group]))
    return rng.choice(kinds[group][kind])


def flip(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Turn one bit over."""
    filled = [file for file in files_of(data) if (data / file).stat().st_size]
    file = draw_file(data, rng, filled)
    size = (data / file).stat().st_size
    place = rng.randrange(min(size, HEAD) if rng.random() < 0.2 else size)
    bit = rng.randrange(8)
    with open(data / file, "r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 1 << bit]))
    return Harm(f"bit {bit} of byte {place} of {file}, of {size} bytes", (file,))


def cut(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Cut a file short, sometimes to nothing."""
    file = draw_file(data, rng, files_of(data))
    size = (data / file).stat().st_size
    kept = 0 if rng.random() < 0.3 else rng.randrange(size + 1)
    os.truncate(data / file, min(kept, max(0, size - 1)))
    return Harm(f"{file} cut to {kept} of {size} bytes", (file,))


def lose(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Take a file away, sometimes its whole folder."""
    file = draw_file(data, rng, files_of(data))
    folder = file.parent
    if _DRAWN_NAME.search(folder.name) and rng.random() < 0.3:
        files = tuple(one for one in files_of(data) if one.parent == folder)
        shutil.rmtree(data / folder)
        return Harm(f"no folder {folder}", files)
    (data / file).unlink()
    return Harm(f"no {file}", (file,))


def swap(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Exchange two files of a kind, of one collection or of two."""
    files = files_of(data)
    file = draw_file(data, rng, [one for one in files if len(of_kind(files, one)) > 1])
    other = rng.choice([one for one in of_kind(files, file) if one != file])
    kept = (data / file).read_bytes()
    shutil.copy(data / other, data / file)
    (data / other).write_bytes(kept)
    return Harm(f"{file} and {other} exchanged", (file, other))


def of_kind(files: Sequence[Path], file: Path) -> list[Path]:
    return [one for one in files if kind_of(one) == kind_of(file)]


def turn_back(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Put an older copy of a file in its place, or in that of another of its kind."""
    files = files_of(data)
    olds = files_of(stage.earlier)
    file = draw_file(data, rng, [one for one in files if of_kind(olds, one)])
    old = file if file in olds else rng.choice(of_kind(olds, file))
    shutil.copy(stage.earlier / old, data / file)
    return Harm(f"an older {old} in the place of {file}", (file,))


def append(data: Path, stage: Stage, rng: random.Random) -> Harm:
    """Put noise or zeros behind the end of a file."""
    file = draw_file(data, rng, files_of(data))
    length = rng.choice((1, 8, 500, 4_096, 9_000))
    noise = bytes(length) if rng.random() < 0.4 else rng.randbytes(length)
    with open(data / file, "ab") as opened:
        opened.write(noise)
    what = "zeros" if not any(noise) else "bytes of noise"
    return Harm(f"{length} {what} behind {file}", (file,))


DAMAGES: Mapping[str, Damaging] = {
    "cut": cut,
    "lost": lose,
    "exchanged": swap,
    "turned back": turn_back,
    "longer": append,
}

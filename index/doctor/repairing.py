"""Makes anew what can be derived, and brings back from segments what a store lost.

Nothing is removed that is not kept in ``lost+found`` first, but what a store knows to be of no use
any more, as whenever it is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from palimpsest.index.aliases import FILE
from palimpsest.index.checks.collection import STORE
from palimpsest.index.checks.findings import Finding
from palimpsest.index.collection import Collection
from palimpsest.index.doctor.directory import (
    COLLECTIONS,
    Progress,
    change_directory,
    examine_directory,
)
from palimpsest.index.doctor.report import Report
from palimpsest.index.doctor.restoring import restore_held
from palimpsest.index.errors import PalimpsestError
from palimpsest.index.remedies import Act
from palimpsest.index.storage.accept import keep_files
from palimpsest.index.storage.causes import unreadable
from palimpsest.index.storage.doubled import copy_of
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.tidying import LOST, SEGMENTS, place_for

_BY_OPENING = (Act.REOPEN, Act.FIT_AGAIN)  # remedies of rows that an opening mends, or replaces
_ROUNDS = 64  # of compactions; each writes one segment anew


def repair_directory(
    data: Path,
    collection: str | None = None,
    *,
    progress: Progress = lambda name, nbytes: None,
) -> Report:
    """Check a data directory, repair what can be, and check it again.

    Returns:
        What was done, and what was found after it.

    Arguments and errors are those of ``change_directory``.
    """

    def repair_all() -> Report:
        before = examine_directory(Report(data), collection, progress)
        done = _Done(_repair_aliases(data, before))
        for name in [one.name for one in before.collections]:
            found = [one for one in before.of("damage", "lost") if one.collection == name]
            if found:
                _repair(data / COLLECTIONS / name, found, done)
        if not done.said:
            return before
        after = Report(data, findings=done.lost, repaired=done.said, seconds=before.seconds)
        return examine_directory(after, collection, progress)

    return change_directory(data, collection, progress, repair_all)


@dataclass
class _Done:
    """What was done, or why something could not be; and what is lost for good."""

    said: list[str]
    lost: list[Finding] = field(default_factory=list)


def _repair(folder: Path, found: Sequence[Finding], done: _Done) -> None:
    """Repair one collection."""
    steps: list[tuple[bool, Callable[[], list[str]]]] = [
        (_has(found, "index") and not _has(found, "store"), lambda: _index_anew(folder)),
        (_has(found, "files"), lambda: _keep(folder, found)),
        (_can_restore(folder, found), lambda: _restore(folder, done)),
        (_has(found, "files", "orphans") or _has_derivable_rows(found), lambda: _derive(folder)),
    ]
    for is_wanted, step in steps:
        if not is_wanted:
            continue
        try:
            done.said += step()
        except (PalimpsestError, OSError) as error:
            told = unreadable(folder, error) if isinstance(error, OSError) else error
            done.said.append(f"{folder.name}: could not be repaired further: {told}")
            break


def _has(found: Sequence[Finding], *checks: str) -> bool:
    return any(one.check in checks for one in found)


def _has_derivable_rows(found: Sequence[Finding]) -> bool:
    return any(one.check == "rows" and one.remedy in _BY_OPENING for one in found)


def _can_restore(folder: Path, found: Sequence[Finding]) -> bool:
    """Tell whether segments may hold what the store lost, and nothing would be lost by trying."""
    if not (folder / STORE).exists() or _has(found, "store"):
        return False
    if any(one.check == "files" and one.severity == "lost" for one in found):
        return False  # its rows would be given up
    if _has(found, "log"):
        return True
    aside = [name for name in _names(folder / LOST) if name.startswith(f"{SEGMENTS}-")]
    unlisted = [one for one in found if one.check == "orphans" and one.file.parent.name == SEGMENTS]
    lost_rows = any(one.check == "points" and one.severity == "lost" for one in found)
    return lost_rows and bool(aside or unlisted)


def _restore(folder: Path, done: _Done) -> list[str]:
    restored = restore_held(folder)
    what = (
        f"payloads and deletions after write {restored.stood_at_seq}, and rows written after it "
        f"that were not sealed, are gone; {restored.points_without_payload} points have no payload"
    )
    remedy = "write them again, or restore the collection from a backup; this is told once"
    done.lost.append(Finding("lost", "log", folder / STORE, what, None, None, remedy, folder.name))
    said = [
        f"{folder.name}: the store was taken for what it held (write {restored.stood_at_seq}, "
        f"{restored.stood_at_points} points), and {restored.vectors} vectors were brought back "
        f"from {restored.segments} segments; the files as they were are in lost+found/"
    ]
    if restored.unread:
        said.append(f"{folder.name}: could not be read: {', '.join(restored.unread)}")
    return said


def _index_anew(folder: Path) -> list[str]:
    kept = keep_files(folder / STORE)
    with closing(Store.open(folder / STORE)) as store, store.transaction():
        store.points.index_anew()
    return [f"{folder.name}: the index of ids was made anew; the store as it was is {kept}"]


def _keep(folder: Path, found: Sequence[Finding]) -> list[str]:
    """Keep damaged files that are about to be replaced."""
    kept = []
    for one in found:
        if one.check == "files" and one.severity == "damage" and one.file.is_file():
            name = "-".join(one.file.relative_to(folder).parts)
            lost, name = place_for(Local(folder), name)
            Local(one.file.parent).link(one.file.name, lost, name)
            kept.append(f"{folder.name}: the damaged {one.file} is kept as {lost.path / name}")
    return kept


def _derive(folder: Path) -> list[str]:
    """Open a collection, which tidies it, and make anew what it lacks."""
    collection = Collection.open(folder.name, folder, threads=_cores(), changed=_nothing)
    with closing(collection) as opened:
        lacking = _lacking(opened)
        for _ in range(_ROUNDS + len(lacking)):
            opened.upkeep.compact()
            if not _lacking(opened):
                break
        for key, index in opened.payload_indexes.items():
            opened.create_index(key, index).result()  # waits for one that is built again
        left = [*_lacking(opened), *opened.writer.damaged.values()]
    done = [
        f"{folder.name}: segment {name} was written anew" for name in lacking if name not in left
    ]
    done.append(f"{folder.name}: was opened, and its payload indexes brought up to date")
    return done + [f"{folder.name}: could not be made anew: {text}" for text in left]


def _lacking(opened: Collection) -> list[str]:
    vectors = opened.view.vectors.values()
    return [part.segment.name for one in vectors for part in one.sealed if part.segment.lacking]


def _repair_aliases(data: Path, found: Report) -> list[str]:
    """Set aside the files of aliases that cannot be read; the server writes a lost one anew."""
    wrong = [one for one in found.of("damage", "lost") if one.check == "aliases"]
    lost = any(one.severity == "lost" for one in wrong)
    both = [data / FILE, copy_of(data / FILE)]
    said = []
    for file in both if lost else [one.file for one in wrong]:
        try:
            if file.exists():
                aside, kept = place_for(Local(data), file.name)
                Local(data).rename(file.name, aside, kept)
                said.append(f"{file} could not be read, and is kept as {aside.path / kept}")
        except OSError as error:
            return [*said, f"{file} could not be set aside: {unreadable(file, error)}"]
    return [*said, "the aliases are gone: create them anew"] if lost else said


def _names(folder: Path) -> list[str]:
    return Local(folder).list() if folder.is_dir() else []


def _cores() -> int:
    return os.cpu_count() or 1


def _nothing() -> None:
    """Nobody waits for changes of a collection that is opened alone."""

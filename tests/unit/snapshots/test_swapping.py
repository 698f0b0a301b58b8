"""A swap leaves the old folder or the new one under the name, wherever it ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index.snapshots.swapping import Swaps, left_behind, settle
from palimpsest.index.storage.local import Local


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Local, Local]:
    for name in ("collections", "unfinished"):
        (tmp_path / name).mkdir()
    return Local(tmp_path / "collections"), Local(tmp_path / "unfinished")


def hold(folder: Path, text: str) -> Local:
    folder.mkdir(parents=True)
    (folder / "what").write_text(text)
    return Local(folder)


def held(collections: Local) -> str:
    return (collections.path / "c" / "what").read_text()


def staged_in(unfinished: Local, name: str = "c") -> Local:
    return hold(unfinished.path / "id" / name, "new")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("stays", [True, False])
def test_it_is_decided_or_undone(there: bool, stays: bool, folders: tuple[Local, Local]) -> None:
    collections, unfinished = folders
    if there:
        hold(collections.path / "c", "old")
    swaps = Swaps(collections, unfinished)
    swaps.swap(staged_in(unfinished), "c")
    assert held(collections) == "new"
    assert len(left_behind(unfinished)) == there
    if stays:
        swaps.commit()
        swaps.tidy()
        assert held(collections) == "new" and unfinished.list() == ["id"]
    else:
        swaps.undo()
        swaps.undo()
    settle(collections, unfinished)
    assert collections.list() == (["c"] if there or stays else [])
    assert not there or held(collections) == ("new" if stays else "old")


def test_an_old_folder_that_could_not_be_deleted_never_comes_back(
    folders: tuple[Local, Local], monkeypatch: pytest.MonkeyPatch
) -> None:
    collections, unfinished = folders
    hold(collections.path / "c", "old")
    swaps = Swaps(collections, unfinished)
    swaps.swap(staged_in(unfinished), "c")
    swaps.commit()
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda path, **_: None)
        swaps.tidy()
    collections.remove("c")  # as a drop does
    settle(collections, unfinished)
    assert collections.list() == []


def test_a_commit_that_fails_can_be_undone(
    folders: tuple[Local, Local], monkeypatch: pytest.MonkeyPatch
) -> None:
    collections, unfinished = folders
    for call in ("rename", "sync"):
        collections.remove("c")
        unfinished.remove("id")
        hold(collections.path / "c", "old")
        swaps = Swaps(collections, unfinished)
        swaps.swap(staged_in(unfinished), "c")
        with monkeypatch.context() as patched:
            patched.setattr(Local, call, fails)
            with pytest.raises(OSError, match="no disk"):
                swaps.commit()
            with pytest.raises(OSError, match="no disk"):
                swaps.undo()
        swaps.undo()
        assert held(collections) == "old" and left_behind(unfinished) == []


def fails(*_: object) -> None:
    raise OSError("no disk")


class Ended(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("undone", [True, False])
def test_a_kill_at_every_call(
    there: bool, undone: bool, folders: tuple[Local, Local], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two collections, one of them new: both are as they were, or both are others."""
    collections, unfinished = folders
    last, ended, seen = 0, True, set[tuple[str, ...]]()
    while ended:
        last += 1
        for folder in folders:
            for name in folder.list():
                folder.remove(name)
        if there:
            hold(collections.path / "c", "old")
        staged = [staged_in(unfinished), staged_in(unfinished, "d")]
        ended = ends_at(last, monkeypatch, lambda staged=staged: run(*folders, staged, undone))  # type: ignore[misc]
        ends_at(last % 7 + 1, monkeypatch, lambda: settle(*folders))  # killed once more
        settle(collections, unfinished)
        seen.add(
            tuple((collections.path / name / "what").read_text() for name in collections.list())
        )
        assert left_behind(unfinished) == []
        if not ended and not undone:
            assert collections.list() == ["c", "d"] and held(collections) == "new"
    before = ("old",) if there else ()
    assert seen == ({before} if undone else {before, ("new", "new")})
    assert last > 12


def run(collections: Local, unfinished: Local, staged: list[Local], undone: bool) -> None:
    swaps = Swaps(collections, unfinished)
    for one in staged:
        swaps.swap(one, one.path.name)
    if undone:
        swaps.undo()
    else:
        swaps.commit()
        swaps.tidy()


def ends_at(last: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> bool:
    """Run work up to the n-th call that changes a folder; tell whether it got there.

    From then on nothing is changed any more, as after a kill.
    """
    count = 0

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count >= last:
                raise Ended
            return call(*arguments, **options)

        return counted

    with monkeypatch.context() as patched:
        for name in ("rename", "mkdir", "fsync", "rmdir", "unlink"):
            patched.setattr(os, name, before(getattr(os, name)))
        try:
            work()
        except Ended:
            return True
    return False


def test_a_swap_that_fails_is_undone(folders: tuple[Local, Local]) -> None:
    collections, unfinished = folders
    hold(collections.path / "c", "old")
    swaps = Swaps(collections, unfinished)
    with pytest.raises(OSError):
        swaps.swap(unfinished / "missing" / "c", "c")
    swaps.undo()
    assert held(collections) == "old"
    Swaps(collections, unfinished).undo()  # before anything was done
    assert unfinished.list() == []

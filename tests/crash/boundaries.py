"""Ends a process at its n-th boundary: before a commit, or a call that changes a file.

(What SQLite is told between BEGIN and COMMIT reaches the disk with the commit.)
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from palimpsest.index import Collection
from tests.conftest import open_collection

SYSTEM_CALLS = ("mkdir", "write", "fsync", "rename", "unlink", "rmdir")
# Changes a collection, and tells each time how many of its steps were answered.
Script: TypeAlias = Callable[[Collection, Callable[[int], None]], None]


class Boundaries:
    """Counts calls; ends the process before the one numbered ``last``."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last

    def cross(self) -> None:
        self.count += 1
        if self.count == self._last:
            os._exit(9)

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.cross()
            return call(*arguments, **options)

        return counted

    def install(self) -> None:
        for name in SYSTEM_CALLS:
            setattr(os, name, self.before(getattr(os, name)))
        boundaries = self

        class Counted(sqlite3.Connection):
            def execute(self, *arguments: Any) -> sqlite3.Cursor:
                if arguments[0] == "COMMIT":
                    boundaries.cross()
                return super().execute(*arguments)

        connect = sqlite3.connect
        sqlite3.connect = lambda *a, **o: connect(*a, **o, factory=Counted)  # type: ignore[assignment]


def child(script: Script, folder: Path, last: int | None) -> None:
    boundaries = Boundaries(last)
    answers = os.open(folder / "answered", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write = os.write
    boundaries.install()
    collection = open_collection(folder / "c")
    script(collection, lambda steps: void(write(answers, b"%d\n" % steps)))
    collection.close()
    write(answers, b"boundaries %d\n" % boundaries.count)
    os._exit(0)


def void(_: object) -> None:
    return None


def run_child(script: Script, template: Path, folder: Path, last: int | None) -> list[str]:
    """Run a script up to a boundary, to its end for None; return the lines it left.

    There is one for each answered step, and for the boundaries after a whole run.
    """
    shutil.copytree(template, folder)
    (folder / "answered").touch()
    pid = os.fork()
    if pid == 0:
        try:
            child(script, folder, last)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (0 if last is None else 9)
    return (folder / "answered").read_text().splitlines()

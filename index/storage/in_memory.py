"""Folders that are nowhere but in memory: the ``Directory`` of what needs no disk."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from palimpsest.index.storage.directory import PIECE, checksum_of
from palimpsest.index.storage.reserve import Admitted, anything


class InMemory:
    """A folder; see ``Directory``. All below one root share what they hold."""

    def __init__(self, path: Path = Path("/memory"), files: InMemory | None = None) -> None:
        """Return the folder of a path; without the ``files`` of another one, an empty root."""
        self.path = path
        self._files: dict[Path, memoryview] = {} if files is None else files._files
        self._folders: set[Path] = {path} if files is None else files._folders

    @property
    def parent(self) -> InMemory:
        """The folder it is in."""
        return InMemory(self.path.parent, self)

    def __truediv__(self, name: str) -> InMemory:
        return InMemory(self.path / name, self)

    def create(self) -> None:
        """Make it. Raises FileExistsError."""
        self._require_new(self.path)
        self._folders.add(self.path)

    def exists(self) -> bool:
        """Tell whether it is there, and a folder."""
        return self.path in self._folders

    def has(self, name: str) -> bool:
        """Tell whether there is a file, or a folder, of a name in it."""
        return self.path / name in self._files or self.path / name in self._folders

    def list(self) -> list[str]:
        """Return the names of what is in it, ascending. Raises FileNotFoundError."""
        if not self.exists():
            raise _error(errno.ENOENT, self.path)
        there = (*self._files, *self._folders)
        return sorted(path.name for path in there if path.parent == self.path != path)

    def write(
        self,
        name: str,
        parts: Iterable[bytes | memoryview],
        admitted: Admitted = anything,
        *,
        synced: bool = True,
        steady: bool = False,
    ) -> tuple[int, int]:
        """Keep a new file; return its length and crc32."""
        self._require_new(self.path / name)
        whole = []
        for part in parts:
            for _ in range(0, len(part), PIECE):
                with admitted():
                    pass
            whole.append(bytes(part))
        self._files[self.path / name] = _aligned(b"".join(whole))
        return checksum_of(whole)

    def read(self, name: str) -> bytes:
        """Return what a small file holds."""
        return self.open(name).tobytes()

    def open(self, name: str) -> memoryview:
        """Return what a file holds, itself."""
        try:
            return self._files[self.path / name]
        except KeyError:
            raise _error(errno.ENOENT, self.path / name) from None

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a file in pieces."""
        whole = self.open(name)
        for start in range(0, len(whole), PIECE):
            yield whole[start : start + PIECE].tobytes()

    def size(self) -> int:
        """Return the bytes of all files in it and below."""
        return sum(len(one) for path, one in self._files.items() if self.path in path.parents)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        gone = self.path / name
        for path in [*self._files, *self._folders]:
            if path == gone or gone in path.parents:
                self._files.pop(path, None)
                self._folders.discard(path)

    def rename(self, name: str, to: InMemory, new: str) -> None:
        """Move a file or a folder, in the place of a file that may be there."""
        old, target = self.path / name, to.path / new
        if not self.has(name):
            raise _error(errno.ENOENT, old)
        to._require_parent(target)
        for path in [one for one in (*self._files, *self._folders) if old in (one, *one.parents)]:
            moved = target / path.relative_to(old)
            if path in self._files:
                to._files[moved] = self._files.pop(path)
            else:
                self._folders.remove(path)
                to._folders.add(moved)

    def link(self, name: str, to: InMemory, new: str) -> None:
        """Let a file have another name as well."""
        to._require_new(to.path / new)
        to._files[to.path / new] = self.open(name)

    def sync(self) -> None:
        """Do nothing: no name in it outlives the program. Raises FileNotFoundError."""
        if not self.exists():
            raise _error(errno.ENOENT, self.path)

    def _require_new(self, path: Path) -> None:
        self._require_parent(path)
        if path in self._files or path in self._folders:
            raise _error(errno.EEXIST, path)

    def _require_parent(self, path: Path) -> None:
        if path.parent not in self._folders:
            raise _error(errno.ENOENT, path)


def _aligned(content: bytes) -> memoryview:
    """Return a copy that begins at a page, as files that are mapped do: kernels rely on it."""
    if not content:
        return memoryview(content)
    pages = mmap.mmap(-1, len(content))  # of no file: it holds no descriptor
    pages[:] = content
    return memoryview(pages).toreadonly()


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))

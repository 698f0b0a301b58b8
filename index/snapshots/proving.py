"""Proves that unpacked files are a collection, before anything is opened as one.

The store is looked at first: by a connection that changes nothing, trusts no function of a schema
and takes no schema but this program's. Then all of it is checked as ``palimpsest doctor`` does:
pages, rows, points, folders, and each against the others.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from palimpsest.index.checks.collection import examine
from palimpsest.index.checks.findings import Finding
from palimpsest.index.checks.folders import folders_of
from palimpsest.index.checks.stored import Listing, Stored
from palimpsest.index.errors import StorageError, StoreFailed, UnknownFormat
from palimpsest.index.snapshots.archive import GoOn
from palimpsest.index.snapshots.manifest import STORE, Manifest, damaged
from palimpsest.index.snapshots.taking import files_of
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.known_schema import require_known_schema
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import create_record, record_of
from palimpsest.index.storage.schema import FORMAT, connect_frozen, store_errors

OLDEST = 7  # format of the stores that the first snapshots held
_WITH_LOG = b"\x02\x02"
_VERSIONS = slice(18, 20)  # of a database's header
_MAX_FOUND = 3  # findings that an error tells


def prove(folder: Path, manifest: Manifest, snapshot: Path, go_on: GoOn) -> None:
    """Require that a folder holds the whole collection that a manifest tells of.

    Args:
        folder: of the unpacked files; gets the record of its store.
        manifest: of the snapshot.
        snapshot: what errors call it.
        go_on: told of what was read.

    Raises:
        Damaged: it does not, or holds more.
        UnknownFormat: a newer release wrote it.
        StorageError: one of its other subclasses: it could not be read.
    """
    if not OLDEST <= manifest.store_format <= FORMAT:
        raise UnknownFormat(snapshot, manifest.store_format, FORMAT)
    listing = _listing(folder / STORE, snapshot)
    _require_told(listing, manifest, snapshot)
    _require_files(listing, manifest, folder, snapshot)
    assert listing.reach is not None
    with disk_errors(f"write {record_of(folder / STORE)}"):
        create_record(record_of(folder / STORE), listing.reach)
    _require_whole(folder, snapshot, go_on)


def _listing(store: Path, snapshot: Path) -> Listing:
    with store_errors(store):
        header = Local(store.parent).open(store.name)[:100]
        if header[_VERSIONS] != _WITH_LOG:
            raise damaged(snapshot, "a database with a log", "another", "store")
        with closing(connect_frozen(store)) as own:
            own.execute("PRAGMA trusted_schema = OFF")
            own.execute("PRAGMA cell_size_check = ON")
            own.execute("PRAGMA query_only = ON")
            require_known_schema(store, own)
            (found,) = own.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise damaged(snapshot, "whole pages", found, "store")
            try:
                return Stored(store, own).listing()
            except (LookupError, TypeError, ValueError, RecursionError) as error:
                raise damaged(snapshot, "a store", repr(error)[:80], "store") from None


def _require_told(listing: Listing, manifest: Manifest, snapshot: Path) -> None:
    """Require that a store lists what its manifest tells, and nothing else."""
    reach = None if listing.reach is None else listing.reach.to_json()
    for what, told, found in (
        ("format of the store", manifest.store_format, listing.format),
        ("commit of the store", manifest.reach, reach),
        ("config", manifest.config, listing.config),
        ("number of points", manifest.points, listing.position.points),
        ("folders", sorted(manifest.folders()), sorted(folders_of(listing))),
    ):
        if told != found:
            raise damaged(snapshot, f"{told}"[:200], f"{found}"[:200], what)


def _require_files(listing: Listing, manifest: Manifest, folder: Path, snapshot: Path) -> None:
    """Require that a manifest tells of the files that folders list, and of no others."""
    try:
        listed = tuple(files_of(listing, Local(folder)))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise damaged(snapshot, "descriptions", repr(error)[:80], "folders") from None
    if listed != manifest.files[1:]:
        raise damaged(snapshot, "those that its folders list", "others", "list of files")


def _require_whole(folder: Path, snapshot: Path, go_on: GoOn) -> None:
    found = _Found(go_on)
    examine(folder, found, in_use=False)
    wrong = [one for one in found.findings if one.severity in ("lost", "damage")]
    unread = [one for one in found.findings if one.severity == "unchecked"]
    if wrong:
        told = "; ".join(_text(one) for one in wrong[:_MAX_FOUND])
        raise damaged(snapshot, "a whole collection", told, "snapshot")
    if unread:
        raise _unreadable(unread[0])


def _text(finding: Finding) -> str:
    where = f"{finding.file.parent.name}/{finding.file.name}"
    compared = "" if finding.expected is None else f" {finding.expected}, found {finding.found}"
    return f"{where}: {finding.what}{compared}"


def _unreadable(finding: Finding) -> StorageError:
    return StoreFailed(f"Could not check the snapshot: {finding}")


class _Found:
    """Takes what checks find."""

    def __init__(self, go_on: GoOn) -> None:
        self.findings: list[Finding] = []
        self.read = go_on

    def found(self, finding: Finding) -> None:
        """Take a finding."""
        self.findings.append(finding)

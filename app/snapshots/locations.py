"""Where a snapshot is that is to be restored: kept here, by its name or ``file://``, or at a URL.

A ``file://`` leads into the folder of snapshots of this server and nowhere else: it is taken apart
into the collection and the name, and never opened as it was given.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from palimpsest.app.errors import wrong_input
from palimpsest.index import collection_of_folder

WEB = ("http", "https")


class Kept(NamedTuple):
    """A snapshot of this server."""

    collection: str
    name: str


class Remote(NamedTuple):
    """A snapshot elsewhere."""

    url: str


def read_location(location: str, collection: str, shelf: Path) -> Kept | Remote:
    """Return what a location means.

    Args:
        location: as it was given.
        collection: whose snapshot a bare name is.
        shelf: the folder of all snapshots.

    Raises:
        Refusal: 400, it is none.
    """
    try:
        parts = urlsplit(location)
    except ValueError as error:
        raise wrong_input(f"location {location!r:.300} cannot be read: {error}") from None
    if parts.scheme in WEB and parts.netloc:
        return Remote(location)
    if parts.scheme == "file" and location.startswith("file:"):
        return _below(location, unquote(parts.path), parts.netloc, shelf)
    if "/" not in location and ":" not in location:
        return Kept(collection, location)
    raise wrong_input(
        f"location {location!r:.300}: expected the name of a snapshot, file://{shelf}/"
        "<collection>/<name>, or a URL that begins with http:// or https://"
    )


def _below(location: str, path: str, host: str, shelf: Path) -> Kept:
    given = PurePosixPath(path)
    below = given.parts[len(shelf.parts) :]
    is_there = given.is_absolute() and given.parts[: len(shelf.parts)] == shelf.parts
    if host not in ("", "localhost") or not is_there or len(below) != 2 or ".." in given.parts:
        raise wrong_input(
            f"location {location!r:.300}: expected file://{shelf}/<collection>/<name>, a snapshot "
            "of this server"
        )
    folder, name = below
    return Kept(collection_of_folder(folder), name)

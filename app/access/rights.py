"""What one principal may do, as a value that travels with its request.

A right is a level, on every collection or on one. A right on a collection holds for it under every
name: its aliases, and ``name@version``. The name of an alias alone gives nothing on points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import NamedTuple

from palimpsest.app.errors import Refusal
from palimpsest.index import Collection, Database, PalimpsestError

SHOWN = 255  # characters of a name that a refusal repeats


class Level(IntEnum):
    """How much is allowed; each level holds those below it."""

    NONE = 0
    READ = 1
    WRITE = 2
    MANAGE = 3


class Access(NamedTuple):
    """The rights of one principal.

    ``who`` names it in the audit log, ``kind`` says what proved it.
    """

    who: str
    kind: str  # "none", "key" or "token"
    everywhere: Level
    collections: Mapping[str, Level] = {}

    def may(self, name: str, level: Level) -> bool:
        """Tell whether a collection, or an alias as such, may be used so; by its real name."""
        return self.everywhere >= level or self.collections.get(name, Level.NONE) >= level

    def collection(self, database: Database, name: str, level: Level) -> Collection:
        """Return the collection that a request calls by a name, an alias or as ``name@version``.

        Every name that a request gives is resolved here, so that nothing is without its check.

        Raises:
            Refusal: 403, the same whether or not there is such a collection.
            NotFound, StorageError: as ``Database.get``, to those who may know.
        """
        if self.everywhere >= level:
            return database.get(name)
        try:
            collection = database.get(name)
        except PalimpsestError:
            self.require(database, name, level)
            raise
        # the folder's name is the real one, and of the very collection that is returned
        if not self.may(collection.folder.name, level):
            raise forbidden(level, name)
        return collection

    def require(self, database: Database, name: str, level: Level) -> None:
        """Raise Refusal (403) unless the collection that a name means, or would, may be used."""
        if self.everywhere < level and not self.may(database.real_name(name), level):
            raise forbidden(level, name)

    def require_itself(self, level: Level, name: str) -> None:
        """Raise Refusal (403) unless a name may be used so as that of a collection, not an alias.

        Of what is made or dropped: what other names mean may change until it is.
        """
        if not self.may(name, level):
            raise forbidden(level, name)

    def require_everywhere(self, level: Level) -> None:
        """Raise Refusal (403) unless all of the server may be used so."""
        if self.everywhere < level:
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"Forbidden: this needs `{level.name.lower()}` on the whole server",
            )

    def visible(self, names: Iterable[str]) -> list[str]:
        """Return those of the collections that may be known of."""
        if self.everywhere >= Level.READ:
            return list(names)
        return [name for name in names if self.may(name, Level.READ)]


EVERYTHING = Access("none", "none", Level.MANAGE)  # where no key is set
NOTHING = Access("none", "none", Level.NONE)  # who shows none


def forbidden(level: Level, name: str) -> Refusal:
    """Answer 403; the name is the one that the request gave."""
    return Refusal(
        HTTPStatus.FORBIDDEN,
        f"Forbidden: this needs `{level.name.lower()}` on collection `{name:.{SHOWN}}`",
    )

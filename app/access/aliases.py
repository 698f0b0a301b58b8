"""Changes of aliases ask for rights on the aliases' own names, and on all that they mean.

Else an alias could be bent to a collection whose name a client trusts, or away from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from palimpsest.app.access.rights import SHOWN, Access, Level
from palimpsest.app.errors import Refusal
from palimpsest.index import AliasChange, CreateAlias, Database, DeleteAlias, RenameAlias


def require_aliases(access: Access, database: Database, changes: Sequence[AliasChange]) -> None:
    """Raise Refusal (403) unless all changes, one after the other, are within the rights.

    Each asks for `manage` on the names of aliases it names, on the collections that these mean
    before it, and on the one that its alias means after it.
    """
    if access.everywhere >= Level.MANAGE:
        return
    if Level.MANAGE not in access.collections.values():  # even where nothing is to change
        access.require_everywhere(Level.MANAGE)
    # As of now, and followed change by change: the third may be about what the first two make of
    # it.
    mapping = dict(database.aliases())
    for change in changes:
        _require(access, database, mapping, change)
        _apply(mapping, change)


def _require(
    access: Access, database: Database, mapping: dict[str, str], change: AliasChange
) -> None:
    aliases = [change.old, change.new] if isinstance(change, RenameAlias) else [change.alias]
    needed = {*aliases, *(mapping[alias] for alias in aliases if alias in mapping)}
    if isinstance(change, CreateAlias):
        # the name of a collection; that an alias is not one is told to those who may know
        needed.add(database.real_name(change.collection))
    if all(access.may(name, Level.MANAGE) for name in needed):
        return
    named = " and ".join(f"`{alias:.{SHOWN}}`" for alias in aliases)
    raise Refusal(
        HTTPStatus.FORBIDDEN,
        f"Forbidden: changing alias {named} needs `manage` on {named} and on every collection "
        "that it means before and afterwards",
    )


def _apply(mapping: dict[str, str], change: AliasChange) -> None:
    """Do what the change will do to what aliases mean; what fails there fails later."""
    match change:
        case CreateAlias(alias=alias, collection=collection):
            mapping[alias] = collection
        case RenameAlias(old=old, new=new):
            if old in mapping:
                mapping[new] = mapping.pop(old)
        case DeleteAlias(alias=alias):
            mapping.pop(alias, None)

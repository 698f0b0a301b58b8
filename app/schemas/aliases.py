"""Changes of aliases on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from palimpsest.app.errors import format_error
from palimpsest.app.schemas.spaces import Body
from palimpsest.index import AliasChange, CreateAlias, DeleteAlias, RenameAlias


class CreateBody(Body):
    """A new alias, or a new meaning of one."""

    collection_name: str
    alias_name: str = Field(min_length=1, max_length=255)


class DeleteBody(Body):
    """An alias to forget."""

    alias_name: str


class RenameBody(Body):
    """A new name for an alias."""

    old_alias_name: str
    new_alias_name: str = Field(min_length=1, max_length=255)


class ActionBody(Body):
    """One change: exactly one of these."""

    create_alias: CreateBody | None = None
    delete_alias: DeleteBody | None = None
    rename_alias: RenameBody | None = None


class AliasesBody(Body):
    """Body of ``POST /collections/aliases``."""

    actions: list[ActionBody]


def to_changes(body: AliasesBody) -> Sequence[AliasChange]:
    """Return the changes a body asks for. Raises Refusal."""
    return [_to_change(place, action) for place, action in enumerate(body.actions)]


def _to_change(place: int, action: ActionBody) -> AliasChange:
    given = [
        each for each in (action.create_alias, action.delete_alias, action.rename_alias) if each
    ]
    if len(given) != 1:
        raise format_error(
            f"actions[{place}]: expected exactly one of create_alias, delete_alias, rename_alias"
        )
    match given[0]:
        case CreateBody(alias_name=alias, collection_name=collection):
            return CreateAlias(alias, collection)
        case RenameBody(old_alias_name=old, new_alias_name=new):
            return RenameAlias(old, new)
        case DeleteBody(alias_name=alias):
            return DeleteAlias(alias)

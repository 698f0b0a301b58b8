"""Queries given in several versions: ``{"versions": {"v1": [...], "v2": [...]}, ...}``.

Every row is scored by the query of its own version. With ``rescore_version`` the best candidates
are ranked anew by their vectors in that version, stored or given under ``vectors``.
"""

from __future__ import annotations

import msgspec

from palimpsest.app.errors import format_error, out_of_range, wrong_input
from palimpsest.app.schemas.documents import AnyEmbedded
from palimpsest.app.schemas.ids import parse_path_id
from palimpsest.app.schemas.searches import between
from palimpsest.app.schemas.vectors import read_any
from palimpsest.index import (
    MAX_RESCORED,
    InvalidId,
    InvalidInput,
    InvalidVector,
    MultiVector,
    PointId,
    Vector,
    VersionedQuery,
)

DEFAULT_RESCORED = 200
MAX_SUPPLIED = 10_000  # vectors of candidates in one query


class VersionsBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"versions": ...}``: one query as several models embed it, by version.

    ``rescore_version`` ranks the ``rescore_limit`` best candidates anew in that version, by the
    vectors they hold or by those given here by id (``vectors``).
    """

    versions: dict[str, AnyEmbedded]
    rescore_version: str | None = None
    rescore_limit: int | None = None
    vectors: dict[str, AnyEmbedded] | None = None


def to_versions(body: VersionsBody) -> VersionedQuery:
    """Return a query in several versions.

    Raises:
        Refusal: none is given, or a clause means nothing without another.
        InvalidInput: a vector or an id cannot be read.
    """
    if not body.versions:
        raise out_of_range("query.versions", "expected at least one version with its vector")
    rescored = body.rescore_version
    if rescored is None:
        for clause in ("rescore_limit", "vectors"):
            if getattr(body, clause) is not None:
                raise wrong_input(f"query.{clause} needs query.rescore_version")
    elif rescored not in body.versions:
        raise wrong_input(
            f"query.rescore_version: {rescored!r} needs a query of its own: add it to "
            f"query.versions, which holds {', '.join(map(repr, body.versions))}"
        )
    limit = between("query.rescore_limit", body.rescore_limit, 1, MAX_RESCORED, DEFAULT_RESCORED)
    return VersionedQuery(
        vectors={name: _vector(v, f"versions.{name}") for name, v in body.versions.items()},
        rescore_version=rescored,
        rescore_limit=limit,
        supplied=_supplied(body.vectors or {}),
    )


def _supplied(given: dict[str, msgspec.Raw]) -> dict[PointId, Vector | MultiVector]:
    if len(given) > MAX_SUPPLIED:
        raise out_of_range("query.vectors", f"expected at most {MAX_SUPPLIED}, got {len(given)}")
    supplied: dict[PointId, Vector | MultiVector] = {}
    for key, vector in given.items():
        try:
            one = parse_path_id(key)
        except InvalidId as error:
            raise format_error(f"query.vectors: {error}") from None
        # One id may be written in several ways; which of two vectors is meant nobody can tell.
        if one in supplied:
            raise wrong_input(f"query.vectors: {key!r} is point {one}, which is given twice")
        supplied[one] = _vector(vector, f"vectors.{key}")
    return supplied


def _vector(text: msgspec.Raw, where: str) -> Vector | MultiVector:
    try:
        return read_any(bytes(text))
    except InvalidInput as error:
        raise InvalidVector(f"query.{where}: {error}") from None

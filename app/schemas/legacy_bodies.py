"""Shapes of the bodies that ``app.schemas.legacy`` reads."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

from palimpsest.app.schemas.documents import AnyFilter, one_of, ref
from palimpsest.app.schemas.kinds import PairBody
from palimpsest.app.schemas.searches import LookupBody, ParamsBody, WithLookupBody
from palimpsest.app.schemas.selectors import WithPayload, WithVector
from palimpsest.app.schemas.targets import AnyTarget
from palimpsest.index import queries

AnyNamed: TypeAlias = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        extra_json_schema=one_of(ref("DenseVector"), ref("MultiVector"), ref("NamedVector"))
    ),
]


AnyOptional: TypeAlias = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema=one_of(ref("Target"), {"type": "null"}))
]


class LegacyBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the bodies of all these calls hold."""

    limit: int
    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    params: ParamsBody | None = None
    with_payload: WithPayload = None
    with_vector: WithVector = None
    shard_key: Any = None


class VectorBody(LegacyBody, forbid_unknown_fields=True, kw_only=True):
    """A vector, or a vector and the name that it is compared under."""

    vector: AnyNamed
    score_threshold: float | None = None


class SearchPointsBody(VectorBody, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST points/search``."""

    offset: int | None = None


class SearchGroupsBody(VectorBody, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST points/search/groups``."""

    group_by: str
    group_size: int
    with_lookup: str | WithLookupBody | None = None


class SearchBatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/search/batch``."""

    searches: list[SearchPointsBody]


class ExamplesBody(LegacyBody, forbid_unknown_fields=True, kw_only=True):
    """Examples by id or vector, liked and disliked."""

    positive: list[AnyTarget] | None = None
    negative: list[AnyTarget] | None = None
    strategy: queries.Strategy | None = None
    using: str | None = None
    lookup_from: LookupBody | None = None
    score_threshold: float | None = None


class RecommendPointsBody(ExamplesBody, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST points/recommend``."""

    offset: int | None = None


class RecommendGroupsBody(ExamplesBody, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST points/recommend/groups``."""

    group_by: str
    group_size: int
    with_lookup: str | WithLookupBody | None = None


class RecommendBatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/recommend/batch``."""

    searches: list[RecommendPointsBody]


class DiscoverPointsBody(LegacyBody, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST points/discover``: a target, pairs, or both."""

    target: AnyOptional = msgspec.field(default_factory=msgspec.Raw)
    context: list[PairBody] | None = None
    using: str | None = None
    lookup_from: LookupBody | None = None
    offset: int | None = None


class DiscoverBatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/discover/batch``."""

    searches: list[DiscoverPointsBody]


class NamedBody(msgspec.Struct, forbid_unknown_fields=True):
    """A vector and the name that it is compared under."""

    vector: msgspec.Raw
    name: str

"""Comparisons of versions on the wire: the bodies of ``POST compare``.

Two versions are named as ``old`` and ``new``, and compared on queries of both; or ``versions`` are
named from old to new, two or more. What queries are to find is judged (``relevant``), told by
labels of points (``relevant_by``), or what the last version finds by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from palimpsest.app.errors import out_of_range, wrong_input
from palimpsest.app.schemas.adapters import read_column, space_of
from palimpsest.app.schemas.documents import AnyEmbedded
from palimpsest.app.schemas.ids import parse_ids, parse_path_id
from palimpsest.app.schemas.multivectors import read_multi
from palimpsest.app.schemas.searches import between
from palimpsest.index import (
    DEFAULT_SAMPLE,
    MAX_CHAIN,
    MAX_COMPARED,
    MAX_COMPARED_QUERIES,
    ChainRequest,
    CollectionConfig,
    CompareRequest,
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    MultiConfig,
    MultiVector,
    PointId,
    VectorConfig,
    Vectors,
    parse_path,
)

DEFAULT_COMPARED = 10

Given: TypeAlias = list[list[int | str] | dict[str, float]]  # of each query
Relevant: TypeAlias = list[list[PointId] | dict[PointId, float]]
Queries: TypeAlias = Mapping[str, Vectors | list[MultiVector]]


class CompareBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST compare``: the same queries in two or more versions, place by place.

    Either ``old`` and ``new`` or ``versions``, from old to new. ``relevant`` says for each query
    which points should be found: a list of their ids, or an object of grades by id, `{"17": 2}`, an
    integer or a UUID as text, larger for what answers better and 0 for what does not. Without them
    the newest version's own answers are what should be found. In place of queries ``relevant_by``
    names a payload field: ``sample`` points ask by their own vectors, and should find points with
    the same value there.
    """

    old: str | None = None
    new: str | None = None
    versions: list[str] | None = None
    queries: dict[str, list[AnyEmbedded]] | None = None
    vector: str = ""
    k: int | None = None
    relevant: Given | None = None
    relevant_by: str | None = None
    sample: int | None = None


def to_comparison(body: CompareBody, config: CollectionConfig) -> CompareRequest | ChainRequest:
    """Return the comparison a body asks for.

    Raises:
        Refusal: a clause means nothing beside the others, or is out of range.
        InvalidInput: a vector or a path cannot be read, or a vector is of another length than its
            version's.
        VersionNotFound: one of the versions is not declared.
    """
    versions = _versions(body)
    for version in versions:
        space_of(config, body.vector, version)
    k = between("k", body.k, 1, MAX_COMPARED, DEFAULT_COMPARED)
    if body.relevant_by is not None:
        _refuse_queries(body)
        sample = between("sample", body.sample, 2, MAX_COMPARED_QUERIES, DEFAULT_SAMPLE)
        path = parse_path(body.relevant_by)
        return ChainRequest(body.vector, versions, k, relevant_by=path, sample=sample)
    if body.sample is not None:
        raise wrong_input("`sample` is of use beside `relevant_by` alone: queries all count")
    queries = _queries_by_version(body, versions, config)
    relevant = _judgements(body.relevant, len(queries[versions[0]]))
    if body.versions is not None:
        return ChainRequest(body.vector, versions, k, queries=queries, relevant=relevant)
    old, new = versions
    return CompareRequest(body.vector, old, new, queries, k, relevant)


def _versions(body: CompareBody) -> list[str]:
    """Return the versions, from old to new. Raises Refusal."""
    if body.versions is None:
        if body.old is None or body.new is None:
            raise wrong_input(
                "expected the versions to compare: `old` and `new`, or `versions`, a list from old "
                "to new"
            )
        if body.old == body.new:
            raise wrong_input(f"old and new: expected two versions, got {body.old!r} twice")
        return [body.old, body.new]
    if body.old is not None or body.new is not None:
        raise wrong_input("`versions` stands in the place of `old` and `new`: give either")
    count = len(body.versions)
    if not 2 <= count <= MAX_CHAIN:
        raise out_of_range("versions", f"expected 2 to {MAX_CHAIN}, got {count}")
    if len(set(body.versions)) < count:
        raise wrong_input(f"versions: expected different ones, got {_listed(body.versions)}")
    return body.versions


def _refuse_queries(body: CompareBody) -> None:
    """Refuse what labels stand in the place of."""
    if body.queries is not None or body.relevant is not None:
        raise wrong_input(
            "`relevant_by` has points of the collection ask and says what they should find: leave "
            "out `queries` and `relevant`"
        )


def _queries_by_version(
    body: CompareBody, versions: Sequence[str], config: CollectionConfig
) -> Queries:
    """Return as many queries of each version. Raises Refusal or InvalidInput."""
    given = body.queries or {}
    if set(given) != set(versions):
        raise wrong_input(
            f"queries: expected them in versions {_listed(versions)}, got {_listed([*given])}; or "
            "name a payload field by `relevant_by`, and points ask"
        )
    parsed = {
        version: _queries(texts, f"queries.{version}", space_of(config, body.vector, version))
        for version, texts in given.items()
    }
    counts = [len(parsed[version]) for version in versions]
    if len(set(counts)) > 1 or not counts[0]:
        what = f"expected 1 or more, as many in all versions, got {' and '.join(map(str, counts))}"
        raise out_of_range("queries", what)
    return parsed


def _judgements(given: Given | None, queries: int) -> Relevant | None:
    if given is None:
        return None
    if len(given) != queries:
        raise out_of_range(
            "relevant",
            f"expected one list, or one object of grades, per query, {queries}, got {len(given)}",
        )
    return [_relevant(one, place) for place, one in enumerate(given)]


def _listed(versions: Sequence[str]) -> str:
    return ", ".join(map(repr, versions)) or "none"


def _queries(
    texts: Sequence[msgspec.Raw], where: str, space: VectorConfig | MultiConfig
) -> Vectors | list[MultiVector]:
    """Return the queries of one version: vectors (n, size), or sets of them."""
    if not isinstance(space, MultiConfig):
        return read_column(texts, where, space.size)
    found = []
    for place, text in enumerate(texts):
        try:
            found.append(read_multi(bytes(text)))
        except InvalidInput as error:
            raise InvalidVector(f"{where}: query {place}: {error}") from None
        size = found[-1].values.shape[1]
        if size != space.size:
            raise DimensionMismatch(space.size, size, f"{where}: query {place}")
    return found


def _relevant(
    given: list[int | str] | dict[str, float], place: int
) -> list[PointId] | dict[PointId, float]:
    """Return the ids of one query, or their grades. Raises InvalidId or Refusal."""
    if isinstance(given, list):
        return parse_ids(given)
    graded: dict[PointId, float] = {}
    for text, gain in given.items():
        point = parse_path_id(text)  # a key of JSON is text, a number's too
        if graded.setdefault(point, gain) != gain:
            raise wrong_input(
                f"relevant[{place}]: point {point} has two grades, {graded[point]} and {gain}"
            )
        if gain < 0:
            raise out_of_range(
                f"relevant[{place}]", f"expected a grade of 0 or more for point {text}, got {gain}"
            )
    return graded

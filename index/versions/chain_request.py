"""What a comparison of a chain of versions asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palimpsest.index.errors import InvalidConfig
from palimpsest.index.filters.expression import Path
from palimpsest.index.types import MultiVector, Vectors
from palimpsest.index.versions.comparing import MAX_K, MAX_QUERIES
from palimpsest.index.versions.relevance import Relevant

MAX_CHAIN = 8  # versions: searches go with the square of their number
DEFAULT_SAMPLE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class ChainRequest:
    """Which versions of a vector are compared, from old to new, and by what.

    Either ``relevant_by`` says at which path of payloads labels stand, by which the neighbours of
    ``sample`` points are to agree with them; or ``queries`` are, by version, the same texts, with
    ``relevant`` as in ``CompareRequest``.
    """

    vector: str
    versions: Sequence[str]
    k: int = 10
    relevant_by: Path | None = None
    sample: int = DEFAULT_SAMPLE
    queries: Mapping[str, Vectors | Sequence[MultiVector]] | None = None
    relevant: Sequence[Relevant] | None = None


def check_chain(request: ChainRequest) -> None:
    """Raise InvalidConfig where what is asked does not fit together."""
    versions = request.versions
    if not 2 <= len(versions) <= MAX_CHAIN or len(set(versions)) < len(versions):
        raise InvalidConfig(
            f"versions: expected 2 to {MAX_CHAIN} different ones, got {listed(versions)}"
        )
    if not 1 <= request.k <= MAX_K:
        raise InvalidConfig(f"k: expected 1 to {MAX_K}, got {request.k}")
    if request.relevant_by is not None:
        if not 2 <= request.sample <= MAX_QUERIES:
            raise InvalidConfig(f"sample: expected 2 to {MAX_QUERIES}, got {request.sample}")
        return
    queries = request.queries or {}
    counts = {version: len(own) for version, own in queries.items()}
    if set(counts) != set(versions) or len(set(counts.values())) > 1:
        raise InvalidConfig(
            f"queries: expected those of versions {listed(versions)}, as many of each, got {counts}"
        )
    count = counts[versions[0]]
    if not 1 <= count <= MAX_QUERIES:
        raise InvalidConfig(f"queries: expected 1 to {MAX_QUERIES} of each version, got {count}")
    if request.relevant is not None and len(request.relevant) != count:
        raise InvalidConfig(
            f"relevant: expected one list, or one object of grades, for each of {count} queries, "
            f"got {len(request.relevant)}"
        )


def listed(versions: Sequence[str]) -> str:
    """Return names of versions as text."""
    return ", ".join(map(repr, versions)) or "none"

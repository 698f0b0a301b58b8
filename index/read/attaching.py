"""What a hit shows beside its score: payload and vectors, read for the final hits only."""

from __future__ import annotations

from itertools import compress
from time import perf_counter

from palimpsest.index.read.points import PointReader, wanted_of
from palimpsest.index.search.closest import Closest
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.read_rows import slot_in
from palimpsest.index.types import Numbers, Record, SearchResult, SearchStats
from palimpsest.index.view.view import View


def attached(
    view: View, points: PointReader, found: Closest, request: SearchRequest
) -> SearchResult:
    """Return hits with what a request wants of them; those written since the search drop out.

    Raises:
        DamagedPoint: what the store holds of a hit is not what was found. Hits whose rows are
            damaged themselves are left out, which ``stats`` say.
    """
    started = perf_counter()
    merged, stats = found
    sought, spared = len(merged.ids), Spared()
    numbers = merged.numbers.tolist()
    stored = points.held(numbers, with_payload=request.with_payload, spared=spared)
    stats.damaged += spared.findings
    own = view.config.number(request.vector_name)
    others = view.config.other_versions.get(own, ())
    same = [
        (one := stored.get(number)) is not None
        and (
            slot_in(one[0], own) == slot
            or (bool(others) and any(slot_in(one[0], other) == slot for other in others))
        )
        for number, slot in zip(numbers, merged.slots, strict=True)
    ]
    if not all(same):
        other = [number for number, is_same in zip(numbers, same, strict=True) if not is_same]
        points.require_found(view, [n for n in other if n not in spared.errors])
        merged = merged.only(same)
        numbers = merged.numbers.tolist()
    payloads = [stored[number][1] for number in numbers] if request.with_payload else None
    vectors = None
    if request.with_vectors:
        wanted = wanted_of(view.config, request.with_vectors)
        records = points.numbered(numbers, wanted, with_payload=False)
        there = [record is not None for record in records]
        merged = merged.only(there)
        vectors = [record.vectors or {} for record in records if record is not None]
        if payloads is not None:
            payloads = list(compress(payloads, there))
    stats.seconds["payload"] = perf_counter() - started
    whole = len(merged.ids) + len(stats.damaged) == sought
    seqs = view.seqs.of(merged.numbers)
    return SearchResult(merged.ids, seqs, merged.distances, payloads, vectors, stats, whole)


def records(
    view: View,
    points: PointReader,
    numbers: Numbers,
    stats: SearchStats,
    with_payload: bool,
    with_vectors: bool | tuple[str, ...],
) -> list[Record | None]:
    """Return each point as the user sees it, None for one that is gone meanwhile.

    None, too, for one that is damaged, which ``stats`` say.
    """
    wanted, spared = wanted_of(view.config, with_vectors), Spared()
    found = points.numbered(numbers.tolist(), wanted, with_payload=with_payload, spared=spared)
    stats.damaged += spared.findings
    return found

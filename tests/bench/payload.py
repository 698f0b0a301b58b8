"""Payload indexes: a condition to a bitmap, building, size; the conditions of `filters.json`."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyroaring import BitMap

from palimpsest.index.filters.expression import Condition, Filter, Match, MatchText, Range
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.evaluate import evaluate
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.types import PointId
from tests.bench.filtered import with_new_bounds
from tests.bench.report import Result

_PAGE = 1_024  # points, as a collection builds
_FIELDS = {
    "source": "keyword",
    "group": "keyword",
    "n_words": "integer",
    "bucket": "float",
    "text": "text",
}
_OPERATORS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


class _Passages:
    """The passages as a source of points; the number of a point is its row."""

    def __init__(self, path: Path) -> None:
        with gzip.open(path) as lines:
            self._payloads = [_payload(json.loads(line)) for line in lines]
        self.live = BitMap(range(len(self._payloads)))
        self.indexes = PayloadIndexes()

    def build(self, key: str) -> None:
        """Index a field, one page after the other."""
        building = self.indexes.begin(key, FieldIndex.from_declared(_FIELDS[key]))
        for start in range(0, len(self._payloads), _PAGE):
            payloads = self._payloads[start : start + _PAGE]
            building.add(range(start, start + len(payloads)), payloads)
        self.indexes.finish(building)

    def payloads(self, numbers: BitMap) -> Iterator[tuple[int, bytes | None]]:
        """Yield the payloads of points."""
        return ((number, self._payloads[number]) for number in numbers)

    def numbers_of(self, ids: Iterable[PointId]) -> BitMap:
        """Return the points of ids."""
        return BitMap([id for id in ids if isinstance(id, int)])

    def having(self, vector: str | int) -> BitMap:
        """Return all points."""
        return self.live

    def ids(self, numbers: BitMap) -> Iterator[tuple[int, PointId]]:
        """Yield the ids of points."""
        return ((number, number) for number in numbers)


def measure(folder: Path, rounds: int) -> Iterator[Result]:
    """Yield the rows; ``folder`` holds `text/corpus.jsonl.gz` and `text/filters.json`."""
    passages = _Passages(folder / "text/corpus.jsonl.gz")
    filters = json.loads((folder / "text/filters.json").read_text())
    plain = {each["name"]: evaluate(_filter(each), passages) for each in filters}
    yield _unindexed(passages, rounds)
    yield from (_build(passages, key, rounds) for key in _FIELDS)
    yield from (_filtered(passages, each, plain[each["name"]], rounds) for each in filters)
    for how in ("all", "any"):
        text = MatchText(("text",), "the history of the world", how)
        yield _condition(passages, f"text, {how} of 5 words", Filter(must=(text,)), "", rounds)


def _payload(passage: Mapping[str, Any]) -> bytes:
    return json.dumps({key: passage[key] for key in passage if key not in ("row", "id")}).encode()


def _build(passages: _Passages, key: str, rounds: int) -> Result:
    seconds = _best(lambda: passages.build(key), min(rounds, 3))
    n, size = len(passages.live), passages.indexes.nbytes[key] / 1e6
    name = f"payload index on {n:,} points, build: {_FIELDS[key]} ({key})"
    return Result(name, "< 3 s", "", f"{seconds:.2f} s, {size:.1f} MB")


def _unindexed(passages: _Passages, rounds: int) -> Result:
    filter = Filter(must=(Match(("source",), ("gcide",)),))
    seconds = _best(lambda: evaluate(filter, passages), rounds)
    n = len(passages.live)
    name = f"keyword condition to bitmap, {n:,} payloads read"
    return Result(name, "", "", f"{seconds * 1e3:.0f} ms")


def _filtered(
    passages: _Passages, declared: Mapping[str, Any], plain: BitMap, rounds: int
) -> Result:
    filter = _filter(declared)
    found = evaluate(filter, passages)
    if found != plain or len(found) != declared["count"]:
        raise AssertionError(f"filter {declared['name']}: {len(found)} points, {declared['count']}")
    return _condition(passages, f"filter {declared['name']}", filter, "< 0.3 ms", rounds)


def _condition(passages: _Passages, name: str, filter: Filter, must: str, rounds: int) -> Result:
    points = len(evaluate(filter, passages))
    turns = iter(range(10 * rounds))
    # Bounds differ each time: a range that is asked again is answered from memory.
    seconds = _best(lambda: evaluate(with_new_bounds(filter, next(turns)), passages), 10 * rounds)
    n = len(passages.live)
    what = f"{name} to bitmap, {n:,} points, indexed"
    return Result(what, must, "", f"{seconds * 1e3:.3f} ms ({points:,} points)")


def _filter(declared: Mapping[str, Any]) -> Filter:
    return Filter(must=tuple(_declared_condition(*each) for each in declared["must"]))


def _declared_condition(key: str, operator: str, value: Any) -> Condition:
    if operator == "in":
        return Match((key,), tuple(value))
    return Range((key,), **{_OPERATORS[operator]: value})


def _best(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)

"""Graph search against other libraries: queries per second at equal recall, defaults, memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palimpsest.index import Collection
from palimpsest.index.config.vectors import DEFAULT_ENCODING, Encoding
from tests.bench import engine, rabitq, reference
from tests.bench.corpora import Corpus
from tests.bench.curves import Curve, SearchAll, race
from tests.bench.report import Result, rate, ratio

TARGETS = (0.95, 0.99)
ENCODINGS: tuple[Encoding, ...] = ("4", "1")
_HNSWLIB = "hnswlib"
_AT_ONCE = ", all in one call"
_SPEED = {"4-bit graph": (">= 5x", "6.5x"), "1-bit graph": (">= 3.5x", "")}
_SPEED |= {f"4-bit graph{_AT_ONCE}": (">= 4x", "")}
_BEYOND_SYMPHONY = (">= 1.15x", "1.5x")
_MEMORY = {"4": "<= 0.20x", "1": "<= 0.15x"}
_INDEX_PARTS = ("codes", "links", "ids")  # codes include their factors


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two contenders, and how many times the second the first must and ought to be."""

    ours: str
    theirs: str
    must: str = ""
    aim: str = ""


def measure(corpus: Corpus, rounds: int, *, peers: bool) -> Iterator[Result]:
    """Yield the rows of one corpus: speed, recall by default, memory.

    Args:
        corpus: what is searched.
        rounds: the best of so many counts.
        peers: race against the indexes of rabitqlib too.
    """
    library, _ = reference.build(corpus)
    others: dict[str, Any] = dict(rabitq.built(corpus)) if peers else {}
    with contextlib.ExitStack() as stack:
        ours = {e: stack.enter_context(engine.filled(corpus, e)) for e in ENCODINGS}
        contenders = {_HNSWLIB: reference.search_all(library, corpus)}
        contenders |= {name: rabitq.search_all(index, corpus) for name, index in others.items()}
        contenders |= _ours(corpus, ours)
        contenders[f"{_HNSWLIB}{_AT_ONCE}"] = reference.search_at_once(library, corpus)
        curves = race(contenders, corpus, rounds)
        for comparison in _comparisons(contenders):
            yield from _speeds(corpus, comparison, curves)
        found = engine.searched(ours[DEFAULT_ENCODING], corpus.queries, None)
        yield Result(
            f"{corpus.name}: recall with no parameter given",
            ">= 0.98",
            "0.99",
            f"{DEFAULT_ENCODING}-bit",
            f"{corpus.recall(found):.4f}",
        )
        with tempfile.TemporaryDirectory() as folder:
            theirs = reference.resident_bytes(library, corpus, Path(folder))
        yield from _memory(corpus, ours, theirs)
        for name, index in others.items():
            measured = ratio(rabitq.file_bytes(index), theirs)
            yield Result(f"{corpus.name}: {name}, its file against hnswlib", "", "", measured)


def _ours(corpus: Corpus, collections: Mapping[Encoding, Collection]) -> dict[str, SearchAll]:
    whole = collections[DEFAULT_ENCODING]
    searches = {f"{e}-bit graph": engine.walk_all(c, corpus) for e, c in collections.items()}
    searches[f"{DEFAULT_ENCODING}-bit Collection.search"] = engine.search_all(whole, corpus)
    searches[f"{DEFAULT_ENCODING}-bit graph{_AT_ONCE}"] = engine.walk_at_once(whole, corpus)
    return searches


def _comparisons(contenders: Mapping[str, SearchAll]) -> Iterator[_Comparison]:
    for name in contenders:
        if name == f"4-bit graph{_AT_ONCE}":
            yield _Comparison(name, f"{_HNSWLIB}{_AT_ONCE}", *_SPEED[name])
        elif name != _HNSWLIB:
            yield _Comparison(name, _HNSWLIB, *_SPEED.get(name, ()))
        if name == "4-bit graph" and rabitq.SYMPHONY in contenders:
            yield _Comparison(name, rabitq.SYMPHONY, *_BEYOND_SYMPHONY)


def _speeds(
    corpus: Corpus, comparison: _Comparison, curves: Mapping[str, Curve]
) -> Iterator[Result]:
    for target in TARGETS:
        ours, theirs = (
            curves[name].rate_at(target) for name in (comparison.ours, comparison.theirs)
        )
        if ours is None or theirs is None:
            slow = comparison.ours if ours is None else comparison.theirs
            measured = f"{slow} does not get there"
        else:
            measured = f"{ratio(ours, theirs)} ({rate(ours)} against {rate(theirs)})"
        name = f"{corpus.name}: {comparison.ours}, queries/s against {comparison.theirs}"
        yield Result(name, comparison.must, comparison.aim, measured, f"{target:.2f}")


def _memory(corpus: Corpus, ours: Mapping[Encoding, Collection], theirs: int) -> Iterator[Result]:
    for encoding, collection in ours.items():
        parts = collection.state().vectors[""].bytes_by_component
        needed = sum(parts[part] for part in _INDEX_PARTS)
        split = ", ".join(f"{part} {parts[part] / 1e6:.1f}" for part in _INDEX_PARTS)
        measured = f"{ratio(needed, theirs)} ({split}; against {theirs / 1e6:.1f} MB)"
        yield Result(
            f"{corpus.name}: {encoding}-bit, memory against hnswlib",
            _MEMORY[encoding],
            "",
            measured,
        )

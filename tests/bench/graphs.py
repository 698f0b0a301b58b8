"""Graph search against hnswlib: queries per second at equal recall, defaults, memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from palimpsest.index import Collection
from palimpsest.index.config.vectors import DEFAULT_ENCODING, Encoding
from tests.bench import engine, reference
from tests.bench.corpora import Corpus
from tests.bench.curves import Curve, SearchAll, race
from tests.bench.report import Result, rate, ratio

TARGETS = (0.95, 0.99)
ENCODINGS: tuple[Encoding, ...] = ("4", "1")
_SPEED = {"4-bit graph": (">= 4x", "6x"), "1-bit graph": (">= 2.5x", "4x")}
_MEMORY = {"4": "<= 0.25x", "1": "<= 0.15x"}
_INDEX_PARTS = ("codes", "links", "ids")  # codes include their factors


def measure(corpus: Corpus, rounds: int) -> Iterator[Result]:
    """Yield the rows of one corpus: speed, recall by default, memory."""
    library, _ = reference.build(corpus)
    with contextlib.ExitStack() as stack:
        ours = {e: stack.enter_context(engine.filled(corpus, e)) for e in ENCODINGS}
        contenders: dict[str, SearchAll] = {"hnswlib": reference.search_all(library, corpus)}
        contenders |= {f"{e}-bit graph": engine.walk_all(c, corpus) for e, c in ours.items()}
        whole = f"{DEFAULT_ENCODING}-bit Collection.search"
        contenders[whole] = engine.search_all(ours[DEFAULT_ENCODING], corpus)
        contenders["hnswlib, all in one call"] = reference.search_at_once(library, corpus)
        curves = race(contenders, corpus, rounds)
        for name in contenders:
            if name != "hnswlib":
                yield from _speeds(corpus, name, curves)
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


def _speeds(corpus: Corpus, contender: str, curves: Mapping[str, Curve]) -> Iterator[Result]:
    must, aim = _SPEED.get(contender, ("", ""))
    for target in TARGETS:
        ours, theirs = curves[contender].rate_at(target), curves["hnswlib"].rate_at(target)
        if ours is None or theirs is None:
            measured = f"{contender if ours is None else 'hnswlib'} does not get there"
        else:
            measured = f"{ratio(ours, theirs)} ({rate(ours)} against {rate(theirs)})"
        name = f"{corpus.name}: {contender}, queries/s against hnswlib"
        yield Result(name, must, aim, measured, f"{target:.2f}")


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

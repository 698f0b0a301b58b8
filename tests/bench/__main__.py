"""Run the benches: `python -m tests.bench --help`."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from palimpsest.index.segments.searcher import simd_level
from tests import evaluation
from tests.bench import (
    backlog,
    beyond,
    building,
    collections,
    corpora,
    filtered,
    graphs,
    importing,
    keys,
    leaving,
    monitoring,
    multivectors,
    payload,
    rabitq,
    rest,
    rows,
    sampling,
    scans,
    scroll,
    sizes,
    snapshots,
    space,
    sparse,
    versions,
    wire,
)
from tests.bench.corpora import Corpus
from tests.bench.report import Result, table

PARTS = (
    "graphs",
    "beyond",
    "building",
    "scans",
    "filtered",
    "payload",
    "scroll",
    "rows",
    "sparse",
    "versions",
    "multivectors",
    "rest",
    "keys",
    "sampling",
    "monitoring",
    "wire",
    "leaving",
    "backlog",
    "collections",
    "snapshots",
    "space",
    "importing",
    "sizes",
)
_SYNTHETIC = (
    "graphs",
    "building",
    "backlog",
    "multivectors",
    "snapshots",
    "space",
)  # parts that may have any number of rows
_LONG = ("backlog", "importing", "space")  # run when they are asked for
_TEXTS = ("payload", "scroll", "rows", "versions", "multivectors")  # that need the folder itself


def main() -> int:
    """Measure, print the table, write it where `--out` says."""
    arguments = _arguments()
    results: list[Result] = []
    for corpus, parts in _plan(arguments):
        for part in parts:
            for result in _measure(part, corpus, arguments):
                print(f"{result.name}: {result.measured} {result.recall}", file=sys.stderr)
                results.append(result)
    text = f"{table(results)}\n{_machine()}\n"
    print(text)
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the table to this file")
    parser.add_argument(
        "--vectors",
        type=Path,
        default=evaluation.FOLDER,
        help="folder with text/v2_*.npy, ann/sift20k_*.npy and ir/cranfield (default: what "
        "PALIMPSEST_EVAL_DATA names, else ../shared/data beside the clone); "
        "where it is missing, 48,000 synthetic rows stand in",
    )
    parser.add_argument(
        "--synthetic",
        type=int,
        metavar="N",
        help="N rows, up to 1M: real ones and noisy copies; synthetic without the folder",
    )
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one REST load run")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part")
    parser.add_argument(
        "--peers", action="store_true", help="graphs: against the indexes of rabitqlib too"
    )
    parser.add_argument(
        "--limit-simd",
        choices=("scalar", "avx2"),
        help="have the engine use no wider instructions; other libraries use what they have",
    )
    arguments = parser.parse_args()
    if arguments.limit_simd is not None:
        os.environ["PALIMPSEST_SIMD"] = arguments.limit_simd  # read when a kernel is first used
    if arguments.peers and not rabitq.is_there():
        parser.error("--peers: rabitqlib has no wheel for this platform or is not installed")
    if arguments.synthetic is not None and not 1_000 <= arguments.synthetic <= 1_000_000:
        parser.error("--synthetic: from 1,000 to 1,000,000 rows")
    return arguments


def _plan(arguments: argparse.Namespace) -> Iterator[tuple[Corpus, list[str]]]:
    """Choose corpora one at a time (they are large) and what is measured on each."""
    only = arguments.only or [part for part in PARTS if part not in _LONG]
    if {*only} <= {*_LONG, "collections", "multivectors", "sizes"}:
        yield corpora.synthetic(1_000), only  # it makes its own
        return
    if arguments.synthetic is not None:
        drawn = [p for p in only if p in _SYNTHETIC]
        if not arguments.vectors.is_dir():
            drawn = [p for p in drawn if p not in _TEXTS]
        yield _any_number(arguments), drawn
        return
    if not arguments.vectors.is_dir():
        print(f"no folder {arguments.vectors}: synthetic rows instead", file=sys.stderr)
        yield corpora.synthetic(48_000), [p for p in only if p not in _TEXTS]
        return
    yield corpora.text(arguments.vectors), list(only)
    if "graphs" in only:
        yield corpora.sift(arguments.vectors), ["graphs"]
        yield corpora.tokens(arguments.vectors), ["graphs"]


def _any_number(arguments: argparse.Namespace) -> Corpus:
    if arguments.vectors.is_dir():
        return corpora.copied(arguments.vectors, arguments.synthetic)
    return corpora.synthetic(arguments.synthetic)


def _measure(part: str, corpus: Corpus, arguments: argparse.Namespace) -> Iterator[Result]:
    rounds: int = arguments.rounds
    parts: dict[str, Callable[[], Iterator[Result]]] = {
        "graphs": lambda: graphs.measure(corpus, rounds, peers=arguments.peers),
        "beyond": lambda: beyond.measure(corpus, rounds),
        "building": lambda: building.measure(corpus, rounds),
        "scans": lambda: scans.measure(corpus, rounds),
        "filtered": lambda: filtered.measure(
            corpus, rounds, arguments.vectors if arguments.vectors.is_dir() else None
        ),
        "payload": lambda: payload.measure(arguments.vectors, rounds),
        "scroll": lambda: scroll.measure(arguments.vectors, rounds),
        "rows": lambda: rows.measure(arguments.vectors, rounds),
        "sparse": lambda: sparse.measure(arguments.vectors, rounds),
        "versions": lambda: versions.measure(arguments.vectors, rounds),
        "multivectors": lambda: multivectors.measure(
            arguments.vectors, rounds, arguments.synthetic
        ),
        "wire": wire.measure,
        "rest": lambda: rest.measure(corpus, rounds, arguments.seconds),
        "keys": lambda: keys.measure(corpus),
        "sampling": lambda: sampling.measure(corpus),
        "monitoring": lambda: monitoring.measure(corpus),
        "leaving": leaving.measure,
        "collections": collections.measure,
        "snapshots": lambda: snapshots.measure(corpus),
        "space": lambda: space.measure(arguments.synthetic or space.ROWS),
        "importing": lambda: importing.measure(arguments.synthetic or importing.ROWS),
        "sizes": sizes.measure,
        "backlog": lambda: backlog.measure(arguments.synthetic or backlog.ROWS),
    }
    return parts[part]()


def _machine() -> str:
    """Say in one line what the numbers were taken on."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    level = simd_level()
    return f"{model}, {os.cpu_count()} cores, {level}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())

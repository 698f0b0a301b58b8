"""A segment of sets of vectors on disk that never change.

Files beside those of every segment (``index.segments.segment``): ``starts`` (n + 1,) i64, where
sets start among all vectors; ``kept`` (m, d) f32 or f16, the vectors as they are compared exactly,
absent where originals are not kept; ``token_lengths`` (m,) f32 where they are. ``tokens`` (m',
row bytes) u8 are codes of the vectors, ``token_signs`` their rotation, and ``token_starts`` where
vectors are pooled and kept as well. Where they are pooled and not kept, ``token_labels`` (m'',) u8
or larger says which of a set's codes stands for each of its vectors as given, and ``given_starts``
(n + 1,) i64 where sets start among these (``pooled``). ``rows_*`` or ``lists_*`` are what
candidates are found by (``candidates``). These, ids, numbers and starts are read into memory; the
rest stays mapped.

Formats of all this: 1, the first, has neither ``token_labels`` nor ``lists_*``; 2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import NO_GRAPH
from palimpsest.index.encoding.means import means_of
from palimpsest.index.encoding.normalise import Lengths
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.kinds.multi.candidates import PREFIXES, SetCandidates, opened
from palimpsest.index.kinds.multi.exact import CodedSets, ComparedSets, Sets
from palimpsest.index.kinds.multi.pooled import Pooled
from palimpsest.index.kinds.multi.probe import MultiProbed
from palimpsest.index.kinds.multi.rows import MultiRows, Starts, places_of
from palimpsest.index.segments.deciding import UNPROBED
from palimpsest.index.segments.originals import Kept, restore
from palimpsest.index.segments.segment import NumbersOf, Segment, of_points, open_segment
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Array, Folder
from palimpsest.index.types import Vectors

FORMAT = 2
_CODED = ("tokens", "token_s")  # what names of files of codes begin with


@dataclass(frozen=True, slots=True, eq=False)
class MultiSealed(Segment):
    """An opened segment; ``kept`` and ``lengths`` are mapped."""

    starts: Starts
    kept: Kept | None
    lengths: Lengths | None
    sets: ComparedSets  # by originals, or by codes where none are kept
    coded: CodedSets | None
    pooled: Pooled | None  # where vectors are pooled and originals are not kept
    candidates: SetCandidates | None  # None where all sets are compared
    probed: MultiProbed | None

    @classmethod
    def open(
        cls, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None
    ) -> MultiSealed:
        """Open and check a segment; arguments and errors are those of ``open_segment``."""
        return open_segment(folder, checksum, spare, lambda files: cls._of(files, numbers_of))

    @classmethod
    def _of(cls, files: Folder, numbers_of: NumbersOf | None) -> MultiSealed:
        described = files.description
        kind = described.get("kind")
        if kind != MultiConfig.kind:
            raise Damaged(files.path, MultiConfig.kind, kind, "kind of rows")
        if described["sets_format"] not in range(1, FORMAT + 1):
            raise UnknownFormat(files.path, described["sets_format"], FORMAT)
        points = of_points(files, numbers_of)
        starts = files.loaded("starts")
        kept = files.mapped("kept") if files.has("kept") else None
        lengths = files.mapped("token_lengths") if files.has("token_lengths") else None
        config = MultiConfig.from_json(described["config"])
        _require(points["n"], starts, kept, lengths, config.size)
        coded = _coded(files, starts, config)
        mapped = sum(one.nbytes for one in (kept, lengths) if one is not None)
        tokens = 0 if coded is None else coded.codes.nbytes
        candidates = opened(files, points, config)
        codes, links = (0, 0) if candidates is None else candidates.nbytes
        pooled = _pooled(files, points["n"])
        given, labels = (0, 0) if pooled is None else pooled.nbytes
        return cls(
            **points,
            starts=starts,
            kept=kept,
            lengths=lengths,
            sets=_sets(starts, kept, coded, config),
            coded=coded,
            pooled=pooled,
            candidates=candidates,
            probed=MultiProbed.from_json(described["probe"]),
            bytes_by_component={
                "codes": codes,
                "links": links,
                "ids": points["ids"].nbytes + points["numbers"].nbytes + starts.nbytes + given,
                "tokens_mapped": tokens + labels,
                "originals_mapped": mapped,
            },
        )

    def is_outdated(self, config: MultiConfig) -> bool:
        """Tell whether it was written otherwise than its column is wanted now, or lacks files."""
        written = MultiConfig.from_json(self.description["config"])
        return bool(self.lacking) or written != replace(config, max_vectors=written.max_vectors)

    @property
    def resident(self) -> Mapping[str, int]:
        """Bytes in memory by component, now."""
        sizes = dict(self.bytes_by_component)
        if self.candidates is not None:
            sizes["ids"] += self.candidates.ids_nbytes
        return sizes

    @property
    def is_scanned(self) -> bool:
        """Whether it was written to have no graph, however many rows it has."""
        return bool(self.description["config"]["M"] == NO_GRAPH)

    @property
    def decision(self) -> str:
        """What was decided of its searches, ``unprobed`` where nothing was."""
        return UNPROBED if self.probed is None else self.probed.decision

    def rows_of(self, rows: NDArray[np.integer[Any]]) -> MultiRows:
        """Return some rows, in the order asked for."""
        starts, places = places_of(self.starts, rows)
        lengths = None if self.lengths is None else self.lengths[places]
        if self.kept is not None:
            return MultiRows(starts, restore(self.kept[places]), lengths)
        assert self.coded is not None
        return MultiRows(starts, self.coded.encoder.decode(self.coded.codes[places]), lengths)

    def means_of(self, rows: NDArray[np.integer[Any]], *, unit: bool) -> Vectors:
        """Return the means of some rows (m, d), of unit length where asked for."""
        some = self.rows_of(rows)
        return means_of(some.values, some.starts, unit=unit)


def spare(names: Collection[str]) -> set[str]:
    """Return the files of a segment that can be made anew from the others."""
    derived = (*PREFIXES, *_CODED) if "kept.npy" in names else PREFIXES
    return {name for name in names if name == "by_slot.npy" or name.startswith(derived)}


def describe(config: MultiConfig, seed: int) -> dict[str, Any]:
    """Return what a segment's description says of its space, and of how it was written."""
    return {
        "kind": config.kind,
        "sets_format": FORMAT,
        "config": config.to_json(),
        "seed": seed,
    }


def _coded(files: Folder, starts: Starts, config: MultiConfig) -> CodedSets | None:
    """Return the sets by their codes; None where there are none, or a file of them is damaged."""
    if not files.has("tokens") or any(name.startswith(_CODED) for name in files.lacking):
        return None
    encoder = TokenEncoder(config.size, config.token_bits, files.loaded("token_signs"))
    own = files.loaded("token_starts") if files.has("token_starts") else starts
    codes = files.mapped("tokens")
    _require_starts(own, len(starts) - 1, len(codes))
    if codes.dtype != np.uint8 or codes.shape[1:] != (encoder.row_bytes,):
        raise ValueError(f"tokens ({codes.dtype} of {codes.shape}) do not fit their encoder")
    return CodedSets(own, codes, encoder)


def _pooled(files: Folder, n: int) -> Pooled | None:
    if not files.has("token_labels"):
        return None
    pooled = Pooled(files.loaded("given_starts"), files.mapped("token_labels"))
    if len(pooled.starts) != n + 1:
        raise ValueError(f"given_starts {pooled.starts.shape} do not fit {n} sets")
    return pooled


def _sets(
    starts: Starts, kept: Kept | None, coded: CodedSets | None, config: MultiConfig
) -> ComparedSets:
    if kept is not None:
        return Sets(starts, kept, config.distance)
    if coded is None:
        raise ValueError("neither originals nor codes of the vectors")
    return coded


def _require_starts(starts: Array, n: int, m: int) -> None:
    if starts.dtype != np.int64 or starts.shape != (n + 1,):
        raise ValueError(f"starts ({starts.dtype} of {starts.shape}) do not fit {n} sets")
    if not (starts[1:] > starts[:-1]).all() or starts[0] != 0 or starts[-1] != m:
        raise ValueError(f"starts do not rise from 0 to {m}")


def _require(n: int, starts: Array, kept: Array | None, lengths: Array | None, size: int) -> None:
    """Require arrays to be those of n sets. Raises ValueError."""
    _require_starts(starts, n, int(starts[-1]) if kept is None else len(kept))
    if kept is None:
        return
    if kept.dtype.name not in ("float32", "float16") or kept.shape[1:] != (size,):
        raise ValueError(f"kept ({kept.dtype} of {kept.shape}) is not of {size} dimensions")
    if lengths is not None and (lengths.dtype != np.float32 or lengths.shape != (len(kept),)):
        raise ValueError(f"lengths ({lengths.dtype} of {lengths.shape}) do not fit the vectors")

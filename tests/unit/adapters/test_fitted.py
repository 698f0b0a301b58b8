"""A fitted adapter in its folder: written, read back bit-equal, and refused where it is damaged."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.adapters.comparable import unmeasured
from palimpsest.index.adapters.estimating import fit_score_map
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.kinds import Kind, fit, make_pairs
from palimpsest.index.errors import Damaged
from palimpsest.index.storage.files import DESCRIPTION, write_folder
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.storage.local import Local
from palimpsest.index.types import Distance

COSINE, DOT = Distance.COSINE, Distance.DOT


def fitted(rng: np.random.Generator, kind: Kind = "ridge", **told: object) -> Fitted:
    rows = rng.standard_normal((80, 6))
    pairs = make_pairs(rows, rows @ rng.standard_normal((6, 6)), COSINE, COSINE)
    adapter = fit(kind, pairs, COSINE, COSINE)
    merge = unmeasured(adapter, COSINE, COSINE)
    known = {"pairs": 80, "held_out": 20, "fitted_at": 1.7e9 + 0.1, "report": {"naïve": "値"}}
    return Fitted(adapter, merge, "auto", True, 5_000, **{**known, **told})  # type: ignore[arg-type]


def test_it_is_read_back_as_it_was_written(rng: np.random.Generator) -> None:
    scores = -np.sort(rng.standard_normal((4, 12)), axis=1)
    points = np.array([0, 7, 2**32 - 1], dtype=np.uint32)
    written = fitted(
        rng, untried=("mlp",), points=points, score_map=fit_score_map(scores, scores, (1.0, 2.0))
    )
    folder = InMemory() / "adapter"
    back = Fitted.open(folder, written.save(folder))
    for name in ("asked", "from_points", "max_pairs", "pairs", "held_out", "fitted_at", "report"):
        assert getattr(back, name) == getattr(written, name), name
    assert back.untried == ("mlp",) and back.points is not None
    np.testing.assert_array_equal(back.points, points)
    assert back.score_map is not None and written.score_map is not None
    np.testing.assert_array_equal(back.score_map.native, written.score_map.native)
    rows = rng.standard_normal((5, 6)).astype(np.float32)
    np.testing.assert_array_equal(back.adapter.map_rows(rows), written.adapter.map_rows(rows))


def test_what_is_no_adapter_is_damaged_by_name(rng: np.random.Generator) -> None:
    folder = InMemory() / "of-another-kind"
    checksum = write_folder(folder, {}, {"kind": "segment"})
    with pytest.raises(Damaged, match="kind of contents"):
        Fitted.open(folder, checksum)
    folder = InMemory() / "without-a-merge"
    written = fitted(rng)
    description = {"kind": "adapter", "adapter": written.adapter.to_json()}
    checksum = write_folder(folder, dict(written.adapter.arrays()), description)
    with pytest.raises(Damaged, match="merge"):
        Fitted.open(folder, checksum)


def test_arrays_that_mean_nothing_are_damaged_by_name(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    folder = Local(tmp_path / "adapter")
    fitted(rng).save(folder)
    (name, *_) = (one for one in folder.list() if one.endswith(".npy"))
    content = b"no array"
    (folder.path / name).write_bytes(content)
    said = json.loads(folder.read(DESCRIPTION))
    said["files"][name] = {"bytes": len(content), "crc32": zlib.crc32(content)}
    text = json.dumps(said).encode()
    (folder.path / DESCRIPTION).write_bytes(text)
    with pytest.raises(Damaged, match="an adapter"):
        Fitted.open(folder, zlib.crc32(text))


def test_what_is_kept_of_rows_is_kept_on_when_more_is_told(rng: np.random.Generator) -> None:
    first = fitted(rng, untried=("mlp", "low_rank"))
    then = first.changed(report={"expected": {"arr": 0.5}}, untried=())
    assert then.factors is first.factors and then.rescoring is first.rescoring
    assert (then.untried, first.untried) == ((), ("mlp", "low_rank"))
    assert (first.quality, then.quality) == (0.0, 0.5)
    assert first.of_rows == [first.factors]


def test_scores_stay_as_they_are_where_metrics_are_alike(rng: np.random.Generator) -> None:
    scores = np.array([0.5, 0.25], dtype=np.float32)
    query = rng.standard_normal(6).astype(np.float32)
    assert fitted(rng).estimated(scores, COSINE, query, query) is scores
    turned = fitted(rng, "procrustes")
    assert turned.estimated(scores, COSINE, query, query) is scores
    other = turned.estimated(scores, DOT, query, 2 * query)
    assert other.shape == (2,) and other[0] > other[1] and not np.array_equal(other, scores)

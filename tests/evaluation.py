"""The evaluation data: real embeddings and texts, which no clone has.

Tests that would read it run on made-up vectors of like structure where it is not at hand, with the
same demands; ``absent`` lists what they missed, for the summary of the run.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ.get("PALIMPSEST_EVAL_DATA", Path(__file__).parents[2] / "shared" / "data"))

absent: set[str] = set()


def find(*names: str) -> list[Path] | None:
    """Return where files of the evaluation data are, None unless all are there."""
    paths = [FOLDER / name for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if not path.is_file()]
    absent.update(missing)
    return None if missing else paths

"""Search sets of tokens with fast-plaid, which is no dependency of the project, nor torch.

Run as `python -P plaid_once.py FOLDER K SETTING...` by an interpreter that has it. FOLDER holds
`documents.npy` (n, d) float32, `starts.npy` (m + 1,), `queries.npy` and `query_starts.npy`. A
setting is PROBED:SCORED, lists of the index and documents that are scored in full. Prints a line of
JSON for each: CPU seconds of all queries, one at a time in one thread, and the K documents found.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Build an index of the documents, search it, print what was found."""
    folder, k, settings = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    plaid: Any = import_module("fast_plaid.search")  # after the environment is set
    import_module("torch").set_num_threads(1)
    queries = _tensors(folder, "queries", "query_starts")
    with tempfile.TemporaryDirectory() as temporary:
        index = plaid.FastPlaid(index=temporary, device="cpu")
        index.create(documents_embeddings=_tensors(folder, "documents", "starts"))
        _searched(index, queries[:3], k, settings[0])  # what is loaded once
        for setting in settings:
            print(json.dumps(_searched(index, queries, k, setting)), flush=True)


def _tensors(folder: Path, values: str, starts: str) -> list[Any]:
    np: Any = import_module("numpy")
    torch: Any = import_module("torch")
    bounds = np.load(folder / f"{starts}.npy")[1:-1]
    return [torch.from_numpy(one) for one in np.split(np.load(folder / f"{values}.npy"), bounds)]


def _searched(index: Any, queries: list[Any], k: int, setting: str) -> dict[str, Any]:
    probed, scored = (int(text) for text in setting.split(":"))
    started = time.process_time()
    found = [
        index.search(
            query[None],
            top_k=k,
            n_ivf_probe=probed,
            n_full_scores=scored,
            show_progress=False,
            n_processes=1,
        )
        for query in queries
    ]
    seconds = time.process_time() - started
    return {
        "setting": setting,
        "seconds": seconds,
        "found": [[int(document) for document, _ in one[0]] for one in found],
    }


if __name__ == "__main__":
    main()

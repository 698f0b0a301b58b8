"""What the engine and the server cost, beside recall: `make bench`, or `python -m tests.bench`.

Every number is a ratio within one run, taken as the best of several interleaved rounds, since
machines are noisy. The comparison is hnswlib: M=16, ef_construction=200, float32, compiled for
this CPU.
"""

import os

M = 16
EF_CONSTRUCTION = 200

# Baselines run on one thread. Read by OpenBLAS when numpy is imported, so set before that.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

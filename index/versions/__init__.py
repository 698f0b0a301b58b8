"""The life of embedding versions: declared, fitted, compared, backfilled, activated, dropped.

Holds what runs and what was counted for it: fits, demand, factors kept warm. Its mathematics is in
``index.adapters``, its searches in ``index.search``. May import ``read``, ``write`` and below.
"""

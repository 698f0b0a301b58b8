"""Dense vectors: searched over a graph of codes and compared again by their originals.

Only what the engine asks of every kind stands here; rows are in ``index.segments``, searches in
``index.search``, for adapters between versions work on both.
"""

"""Sparse vectors: an exact inverted index over growing rows and write-once segments.

A row is a list of dimensions with their values, and a query meets only the rows that share a
dimension with it. Parts are those of ``index.segments``, so that a view holds them beside those of
other kinds.
"""

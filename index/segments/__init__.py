"""Stored rows in memory and on disk: growing until sealed, then write-once segments.

Knows rows, slots, graphs, codes, which rows are dead, and what a probe found of a segment; a
search of one part is one native call. ``growing_part`` and ``segment`` are what parts of every kind
of vector have; the others are of dense ones. May import ``encoding``, ``storage`` and ``config``.
"""

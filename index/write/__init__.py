"""Writes of one collection: checked as a batch, committed by one thread, applied, published.

Holds the writer thread, its queue, the numbers of points and the newest view. May import ``kinds``
and below, and nothing that reads.
"""

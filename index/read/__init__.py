"""Reads of one collection: searches with all that belongs to their hits, points, and their cost.

Holds one view for the time of one request, and reads payloads from the store, which may be ahead of
it. May import ``kinds`` and below, and nothing that writes.
"""

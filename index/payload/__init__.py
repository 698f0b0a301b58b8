"""Payloads: JSON objects attached to points, how they are edited, and the indexes over them.

Knows conditions and values by point number; holds the payload indexes in memory, and brings them
back from their folders. May import ``filters`` and ``storage``.
"""

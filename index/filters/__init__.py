"""Filters: what a caller asks of payloads, ids and vectors, and which points it means.

Knows conditions as values, and what each means of one point: the plain twin of the payload indexes.
Holds no points. May import ``config`` and what every room may.
"""

"""Queries as trees: prefetches nested to any depth, fused, scored anew, grouped.

``request`` says what can be asked, ``execute`` walks a tree over a ``Source``, the other modules
are its steps. Every step passes numbers of points and their scores; ids, payloads and vectors are
read for the final points only. A score is larger for what is better, except that of a nearest query
under a distance (Euclid, Manhattan), which is the distance itself. Holds nothing between requests.
May import ``read`` and below.
"""

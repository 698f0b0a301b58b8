"""From a query and a view to the closest points.

``plan`` decides every parameter, ``dense`` searches the parts, ``merge`` merges them;
``mapped_query`` and ``query_per_version`` search several versions together. Reads no store and
writes nothing. May import ``view`` and below.
"""

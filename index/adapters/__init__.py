"""The mathematics between versions: maps of queries and rows, how they are fitted and judged.

Knows arrays of pairs, scores and reports. Starts no thread and reads no view; a fitted adapter
(``fitted``) can be written to a folder and read from one. May import ``storage.files`` and what
every room may.
"""

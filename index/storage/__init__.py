"""What is on disk: the SQLite store of a collection, and its folders of write-once arrays.

Knows rows, arrays, bytes, checksums and syncs; nothing of encodings, graphs or distances. Holds the
connections and files that are open. May import what every room may, and no other room.
"""

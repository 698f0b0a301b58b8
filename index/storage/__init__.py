"""What is on disk: the SQLite store of a collection, and its folders of write-once arrays.

Knows rows, arrays and bytes; nothing of encodings, graphs or distances.
"""

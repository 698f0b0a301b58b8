"""What a collection declares, as immutable values: its vectors, its versions, every default.

Knows sizes, distances, encodings and limits by name, and how a change makes the next config. Holds
no state and touches no file. May import types and errors.
"""

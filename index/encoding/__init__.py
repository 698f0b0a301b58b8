"""Encodings of vectors: rotation, codes of 8, 4, 2 and 1 bits, and vectors as text."""

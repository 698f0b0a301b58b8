"""Vectors as they come, as they are searched, and as they are stored in fewer bytes.

Knows how rows and queries are normalised, rotation, codes of 8, 4, 2 and 1 bits, sets of vectors as
one vector, codes and pooling of tokens with MaxSim over them, and vectors as text. Touches no file.
May import ``config`` and what every room may.
"""

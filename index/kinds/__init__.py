"""Kinds of vector: what the engine asks of vectors, and how each kind answers.

``kind`` is the protocol, ``registry`` names the kinds there are, every other folder is one of them.
``sparse`` is whole in its folder: what a new kind has to bring. ``dense`` says what dense vectors
answer; their rows and searches, which adapters between versions need too, stand in ``segments`` and
``search``. Holds nothing. May import ``search``, ``view``, ``segments`` and what is below.
"""

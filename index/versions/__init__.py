"""Embedding versions: which there are, the maps between them, and what those are worth."""

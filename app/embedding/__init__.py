"""Texts to vectors: by models behind an address or in this process, and by BM25."""

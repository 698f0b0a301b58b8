"""Sets of vectors, compared by MaxSim: late interaction (ColBERT, arXiv 2004.12832).

The score of a set is the sum, over the vectors of a query, of the best similarity to a vector of
the set. Parts are those of ``index.segments``, so that a view holds them beside those of other
kinds.
"""

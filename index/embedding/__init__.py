"""Texts to vectors in this process, and what is kept of models to tell them apart.

    bm25         texts as sparse vectors
    onnx_model   a model of sentences in a folder
    probes       vectors of eight texts, and how alike later ones are

May import: payload, filters, storage, config, types, errors.
"""

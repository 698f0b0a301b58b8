"""Checks of files at rest, which change nothing: for ``index.doctor`` and ``index.upkeep.scrub``.

Know the files of one collection and what each says of the others; hold what was found. May import
``segments``, ``storage`` and ``config``.
"""

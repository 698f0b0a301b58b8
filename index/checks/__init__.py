"""Checks of files at rest, which change nothing: for ``index.doctor`` and ``index.upkeep.scrub``.

Know the files of one collection and what each says of the others; hold what was found. May import
``kinds``, of whose files some are made anew, ``storage`` and ``config``.
"""

"""Checks of files at rest, which change nothing: for ``index.doctor`` and ``index.scrubbing``."""

"""Checks a data directory, and repairs what can be: what ``palimpsest doctor`` does.

    directory  the lock, what lies in a data directory, and its collections one after the other
    report     what was found, what follows from it, and what to say first
    repairing  what is made anew or brought back
    restoring  brings back from segments what a store lost

Checks of one collection are in ``index.checks``. May import everything.
"""

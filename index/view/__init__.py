"""What one read sees: every part of every column at one log position, which never changes.

Holds the parts, the points that are alive, the bridges between versions, and the names under which
all that is shown. May import ``segments``, ``payload``, ``adapters`` and below.
"""

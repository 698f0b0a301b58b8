"""How much of what is closest searches find: measured when asked, and all the time on samples.

A search is answered twice on one view: as its plan says, and with every row looked at. Holds the
queries that wait to be looked at again, one at a time. May import ``read`` and below, and nothing
that writes.
"""

"""What goes on beside reads and writes: seals, compactions, probes, scrubs, and opening.

Holds the threads in the background and what waits for them; every change of a collection is a short
job of its writer. May import ``versions`` and below.
"""

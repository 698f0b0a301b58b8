"""How one request is found again: its id, its trace, its stages, in the log and in spans."""

"""Stored rows in memory and on disk: growing until sealed, then write-once segments."""

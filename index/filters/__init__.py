"""Filters: what a caller asks of payloads, ids and vectors, and which points it means."""

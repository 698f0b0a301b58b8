"""Payloads: JSON objects attached to points, how they are edited, and the indexes over them."""

"""Wheels, installed as a user would: see ``make wheel-check``."""

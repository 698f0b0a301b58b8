"""Shapes of requests and replies, and their conversion to and from the engine's types."""

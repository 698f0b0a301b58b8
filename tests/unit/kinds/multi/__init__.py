"""Tests of sets of vectors, compared by MaxSim."""

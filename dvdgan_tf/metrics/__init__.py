"""Distances and scores: pure functions of a network's activations."""

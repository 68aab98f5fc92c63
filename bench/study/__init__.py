"""Companion experiments, as cells that are computed once, stored as they come, and reported."""

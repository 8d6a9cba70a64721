"""Targets, rankings, 4G and fibre, and comparisons of states and plans."""

"""Kinds of candidates: where each comes from, one module for each, with ``propose(context)``."""

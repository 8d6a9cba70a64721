"""Demand by night and day, complaints and their hot spots."""

"""Uncovered land gathered to gap areas, with their causes."""

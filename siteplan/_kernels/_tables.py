"""The mast as every kernel takes it."""

from __future__ import annotations

from typing import NamedTuple

CLEAR_NU = -9.0
"""Diffraction parameter of a pixel between which and the mast no sample lies."""


class Mast(NamedTuple):
    """One mast and how its sight lines are drawn; heights in m."""

    row: int
    col: int
    top_amsl_m: float  # antenna above sea level
    receiver_m: float  # receiver above the target surface
    pixel_m: float
    curvature: float  # 1 / (2 a_e), 1/m; 0 = flat Earth

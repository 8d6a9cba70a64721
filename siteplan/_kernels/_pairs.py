"""Sight of many pairs of mast and pixel, each by its own exact profile."""

from __future__ import annotations

import numpy as np
from numba import njit

from siteplan._kernels._exact import point_sight, point_space
from siteplan._kernels._nouns import Mast


@njit(cache=True, nogil=True)
def sight_of_pairs(heights, shared, masts, pixels, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (pairs, 2) with the knife-edge parameters of :func:`point_sight`: top surface, ground.

    ``heights`` is (top, ground, whether they differ), ``shared`` (receiver height above the ground in m, pixel edge in
    m, 1 / (2 a_e) in 1/m); ``masts`` (row, col, antenna above sea level in m) and ``pixels`` (row, col) hold an array
    with one entry for each pair.
    """
    top, ground, two = heights
    receiver_m, pixel_m, curvature = shared
    mast_row, mast_col, mast_top = masts
    row, col = pixels
    reach = 0.0
    for k in range(row.size):
        reach = max(reach, np.hypot(float(row[k] - mast_row[k]), float(col[k] - mast_col[k])))
    space = point_space(reach, Mast(0, 0, 0.0, receiver_m, pixel_m, curvature))
    for k in range(row.size):
        mast = Mast(mast_row[k], mast_col[k], mast_top[k], receiver_m, pixel_m, curvature)
        nu_top, nu_ground = point_sight(top, ground, two, mast, row[k], col[k], space)
        out[k, 0], out[k, 1] = nu_top, nu_ground

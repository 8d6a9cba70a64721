"""Visibility from one point over a surface: the exact profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siteplan._kernels import Mast, exact_visible
from siteplan.errors import ModelError


def visible(surface_m: ArrayLike, pixel_m: float, row: int, col: int, h_observer_m: float,
            h_target_m: float) -> NDArray[np.bool_]:
    """Where an observer sees a target above every pixel of a surface.

    Parameters
    ----------
    surface_m : array_like (row, col)
        Heights at the pixel centres, m; without NaN. Between centres the surface is bilinear.
    pixel_m : float
        Edge of a pixel, m.
    row, col : int
        Pixel of the observer.
    h_observer_m, h_target_m : float
        Heights above the surface at the observer's and at every target's pixel, m.

    Returns
    -------
    ndarray of bool (row, col)
        The observer's own pixel is True. No Earth curvature.

    Raises
    ------
    ModelError
        When the surface is not a finite 2-D array of 2 x 2 pixels or more, or the observer is not on it.

    Notes
    -----
    The surface is sampled at 1.0, 1.5, 2.0, ... pixels from the observer, the last at most e - 0.5 pixels away
    (e = distance of the target); seen = no sample above the sight line.

    Examples
    --------
    >>> wall = np.zeros((3, 5)); wall[:, 2] = 10.0
    >>> visible(wall, 1.0, 1, 0, 2.0, 2.0)[1].tolist()
    [True, True, True, False, False]
    """
    heights = np.ascontiguousarray(surface_m, np.float32)
    if heights.ndim != 2 or min(heights.shape) < 2 or not np.isfinite(heights).all():
        raise ModelError("a surface is a finite array of at least 2 x 2 pixels")
    if not (0 <= row < heights.shape[0] and 0 <= col < heights.shape[1]) or pixel_m <= 0:
        raise ModelError(f"observer at row {row}, column {col} is not on the surface, or the pixel is not positive")
    eye_m = float(heights[row, col]) + float(h_observer_m)
    mast = Mast(int(row), int(col), eye_m, float(h_target_m), float(pixel_m), 0.0)
    out = np.zeros(heights.shape, np.bool_)
    exact_visible(heights, mast, out)
    return out

"""What stands around each pixel: buildings near it, and the open pixel in front of a building's wall."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from siteplan._kernels import nearest_open, steps_outwards
from siteplan.surface import Surface

NEAR_M = 25.0
"""Half the edge of the square around a receiver whose buildings count as its surroundings, m."""
FACADE_M = 60.0
"""The nearest open pixel is looked for so far, m: the middle of a hall of 120 m still has a wall."""


class Surroundings(NamedTuple):
    """What stands around each pixel, in a square of 25 m to each side (whole pixels)."""

    built_share: NDArray[np.float32]
    """(row, col), 0..1: share of built pixels"""
    clutter_mean_m: NDArray[np.float32]
    """(row, col), m: mean height of the clutter, open ground counted as 0"""


def surroundings(surface: Surface) -> Surroundings:
    """Built share and mean clutter height around every pixel of a surface.

    Parameters
    ----------
    surface : Surface

    Returns
    -------
    Surroundings
        Beyond the edge of the grid the pixels of the edge are repeated.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 90.0, 90.0), "EPSG:4547", 10.0)
    >>> roofs = np.zeros(box.shape, np.float32)
    >>> roofs[4, 4] = 50.0
    >>> near = surroundings(Surface(box, np.zeros_like(roofs), roofs, np.ones(roofs.shape, bool), True))
    >>> [round(float(x), 6) for x in (near.built_share[4, 4], near.clutter_mean_m[2, 2], near.built_share[0, 0])]
    [0.04, 2.0, 0.0]
    """
    edge = 2 * int(np.floor(NEAR_M / surface.pixel_m)) + 1
    built = surface.built.astype(np.float64)
    share = np.clip(ndimage.uniform_filter(built, edge, mode="nearest"), 0.0, 1.0)
    mean = np.maximum(ndimage.uniform_filter(surface.clutter_m.astype(np.float64), edge, mode="nearest"), 0.0)
    # the running sums of the filter leave crumbs where nothing stands
    return Surroundings(np.where(share < 1e-9, 0.0, share).astype(np.float32),
                        np.where(mean < 1e-9, 0.0, mean).astype(np.float32))


def facade_steps(surface: Surface) -> NDArray[np.int8]:
    """Step (row, col) from every built pixel to the nearest open one, which lends it its sight.

    Returns
    -------
    ndarray of int8 (row, col, 2)
        0, 0 for open pixels and where all within 60 m is built; a step may lead out of the grid, where nothing stands.
        Of several nearest ones the first by row, then by column.
    """
    built = surface.built
    out = np.zeros((*built.shape, 2), np.int8)
    nearest_open(built, steps_outwards(min(int(FACADE_M // surface.pixel_m), 127)), out)
    return out


def for_profiles(heights_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heights as exact profiles read them: contiguous, a lone row or column doubled, as samples lie between two."""
    rows, cols = heights_m.shape
    if min(rows, cols) > 1:
        return np.ascontiguousarray(heights_m)
    return np.pad(heights_m, ((0, int(rows == 1)), (0, int(cols == 1))), mode="edge")

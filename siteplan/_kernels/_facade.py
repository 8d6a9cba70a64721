"""Receivers on built pixels: the sight that they have is that of the open pixel in front of their nearest wall."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


def steps_outwards(reach: int) -> NDArray[np.int8]:
    """Steps (row, col) to the pixels within ``reach`` pixels, the nearest first; equal ones by row, then column."""
    span = np.arange(-reach, reach + 1)
    rows, cols = (axis.ravel() for axis in np.meshgrid(span, span, indexing="ij"))
    square = rows**2 + cols**2
    order = np.lexsort((cols, rows, square))
    kept = order[(square[order] > 0) & (square[order] <= reach**2)]
    return np.stack([rows[kept], cols[kept]], axis=1).astype(np.int8)


@njit(cache=True, nogil=True)
def nearest_open(built, steps, out):  # type: ignore[no-untyped-def]
    """Step from every built pixel to the nearest one that is not built: of the grid, else beyond its edge.

    ``out`` (rows, cols, 2) int8, zeros before, stays so for open pixels and where no step leads to an open one.
    """
    rows, cols = built.shape
    for r in range(rows):
        for c in range(cols):
            if not built[r, c]:
                continue
            outside = -1
            for k in range(steps.shape[0]):
                y, x = r + np.int64(steps[k, 0]), c + np.int64(steps[k, 1])
                if y < 0 or x < 0 or y >= rows or x >= cols:
                    outside = k if outside < 0 else outside
                elif not built[y, x]:
                    out[r, c, 0], out[r, c, 1] = steps[k, 0], steps[k, 1]
                    break
            else:
                if outside >= 0:
                    out[r, c, 0], out[r, c, 1] = steps[outside, 0], steps[outside, 1]


@njit(cache=True, nogil=True)
def facade_of(facade, rings, row, col, i, j):  # type: ignore[no-untyped-def]
    """Step to the pixel whose sight a receiver takes; (0, 0) = its own.

    ``facade`` is what :func:`nearest_open` filled, ``rings`` those of the disc, (i, j) the receiver's place there. A
    pixel beyond the grid or the disc lends nothing.
    """
    dy, dx = np.int64(facade[row, col, 0]), np.int64(facade[row, col, 1])
    if row + dy < 0 or col + dx < 0 or row + dy >= facade.shape[0] or col + dx >= facade.shape[1]:
        return 0, 0
    if i + dy < 0 or j + dx < 0 or i + dy >= rings.shape[0] or j + dx >= rings.shape[1]:
        return 0, 0
    if rings[i + dy, j + dx] < 0:
        return 0, 0
    return dy, dx


@njit(cache=True, nogil=True)
def lend_sight(facade, mast, disc, part, nu):  # type: ignore[no-untyped-def]
    """Give the built pixels of a window the nu of the open pixel in front of them, in place.

    ``part`` is (first row, row after the last, first column, column after the last) of the grid; outside of it nothing
    changes. Only built pixels are written and only open ones are read, so the order does not matter.
    """
    radius, rings = disc.radius, disc.ring
    for y in range(max(part[0], mast.row - radius), min(part[1], mast.row + radius + 1)):
        i = y - mast.row + radius
        half = int(math.floor(math.sqrt(radius * radius - (y - mast.row) ** 2)))
        for x in range(max(part[2], mast.col - half), min(part[3], mast.col + half + 1)):
            if facade[y, x, 0] != 0 or facade[y, x, 1] != 0:
                j = x - mast.col + radius
                dy, dx = facade_of(facade, rings, y, x, i, j)
                nu[i, j] = nu[i + dy, j + dx]

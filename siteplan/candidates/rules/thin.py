"""Thinning: of candidates that stand close together, the best one speaks for the others."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

SAME_SPOT_M = 5.0
"""Venues nearer than this are on one spot, and so is a venue with a building, m (an unverified default: below the error
of most addresses)."""
_FINEST = 2.0 ** -30
"""Least side of a cell as a share of the extent: the numbers of column and row fit into one 64-bit number."""


def _in_company(xy: np.ndarray, near_m: float) -> np.ndarray:
    """Points that have another one in their square cell or in the eight around; no point farther is so near."""
    offset = xy - xy.min(axis=0)
    side = max(near_m * (1 + 1e-6), float(offset.max()) * _FINEST)
    column, row = np.floor(offset / side).astype(np.int64).T
    stride = int(row.max()) + 3
    cell = column * stride + row
    order = np.argsort(cell, kind="stable")
    ascending = cell[order]
    count = np.zeros(len(xy), dtype=np.int64)
    for step in (-stride, 0, stride):
        count += np.searchsorted(ascending, ascending + (step + 1), side="right")
        count -= np.searchsorted(ascending, ascending + (step - 1), side="left")
    company = np.empty(len(xy), dtype=bool)
    company[order] = count > 1
    return company


def keep_spaced(xy: np.ndarray, order: np.ndarray, spacing_m: float) -> np.ndarray:
    """Which points remain so that no two are nearer than the spacing.

    The points are gone through from the best to the worst: one that nobody stands for yet remains and stands for all
    that are nearer to it than the spacing. Points without a neighbour are passed over beforehand.

    Parameters
    ----------
    xy : ndarray, shape (n, 2)
        Points, m.
    order : ndarray of int, shape (n,)
        Point numbers, best first.
    spacing_m : float
        Least distance; 0 keeps all.

    Returns
    -------
    ndarray of int, shape (n,)
        -1 for a point that remains, else the number of the point that stands for it: the best of those that remain
        and are nearer than the spacing.

    >>> keep_spaced(np.array([[0.0, 0.0], [5.0, 0.0], [20.0, 0.0]]), np.array([1, 0, 2]), 10.0).tolist()
    [1, -1, -1]
    """
    stands_for = np.full(len(xy), -1)
    if spacing_m <= 0 or len(xy) < 2:
        return stands_for
    near_m = spacing_m * (1 - 1e-9)
    company = _in_company(xy, near_m)
    crowd = np.flatnonzero(company)
    if not len(crowd):
        return stands_for
    position = np.full(len(xy), -1)
    position[crowd] = np.arange(len(crowd))
    places = xy[crowd]
    tree = cKDTree(places)
    done = np.zeros(len(crowd), dtype=bool)
    for point in position[order[company[order]]].tolist():
        if done[point]:
            continue
        done[point] = True
        near = np.asarray(tree.query_ball_point(places[point], near_m))
        weaker = near[~done[near]]
        done[weaker] = True
        stands_for[crowd[weaker]] = crowd[point]
    return stands_for

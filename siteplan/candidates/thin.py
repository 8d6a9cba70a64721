"""Thinning: of candidates that stand close together, the best one speaks for the others."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def keep_spaced(xy: np.ndarray, order: np.ndarray, spacing_m: float) -> np.ndarray:
    """Which points remain so that no two are nearer than the spacing.

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
        -1 for a point that remains, else the number of the better point that stands for it.

    >>> keep_spaced(np.array([[0.0, 0.0], [5.0, 0.0], [20.0, 0.0]]), np.array([1, 0, 2]), 10.0).tolist()
    [1, -1, -1]
    """
    stands_for = np.full(len(xy), -1)
    if spacing_m <= 0 or len(xy) < 2:
        return stands_for
    tree = cKDTree(xy)
    done = np.zeros(len(xy), dtype=bool)
    for point in order:
        if done[point]:
            continue
        done[point] = True
        near = np.asarray(tree.query_ball_point(xy[point], spacing_m * (1 - 1e-9)))
        weaker = near[~done[near]]
        done[weaker] = True
        stands_for[weaker] = point
    return stands_for

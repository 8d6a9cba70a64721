"""Which candidates exclude each other because they stand too near."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from siteplan.errors import ModelError

_MOST_CLASSES = 24
_SLACK = 1.0 + 1e-9


def near_pairs(xy: ArrayLike, spacing_m: ArrayLike, least_m: float = 0.0) -> NDArray[np.int32]:
    """Pairs of candidates of which at most one can be built.

    Two chosen sites are at least ``max(least_m, the smaller of both spacings)`` apart.

    Parameters
    ----------
    xy : array, shape (candidates, 2)
        m.
    spacing_m : array, shape (candidates,)
        What the scene of each asks for, m; NaN = nothing.
    least_m : float
        What is asked of any two, m.

    Returns
    -------
    ndarray of int32, shape (pairs, 2)
        First < second, sorted by row.

    Raises
    ------
    ModelError
        Coordinates are not finite, or shapes do not match.

    Examples
    --------
    Two macro sites ask for 300 m, a micro one between them for 100 m:

    >>> near_pairs([[0, 0], [150, 0], [250, 0]], [300, 100, 300]).tolist()
    [[0, 2]]
    >>> near_pairs([[0, 0], [150, 0], [250, 0]], [300, 100, 300], least_m=120).tolist()
    [[0, 2], [1, 2]]
    """
    places = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    spacing = np.nan_to_num(np.asarray(spacing_m, dtype=np.float64), nan=0.0)
    if spacing.shape != (len(places),):
        raise ModelError(f"{len(places)} places for {spacing.size} values of spacing_m")
    if not np.isfinite(places).all():
        raise ModelError(f"candidates without a place: numbers {np.flatnonzero(~np.isfinite(places).all(1))[:5]}")
    asked = np.maximum(spacing, least_m)
    found = [np.zeros((0, 2), dtype=np.int64)]
    for low, high in _classes(asked):
        held = np.flatnonzero(asked >= low)
        if high <= 0 or len(held) < 2:
            continue
        pairs = held[cKDTree(places[held]).query_pairs(high * _SLACK, output_type="ndarray")]
        wanted = asked[pairs].min(axis=1)
        apart = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
        found.append(pairs[(wanted <= high) & (apart < wanted)])
    pairs = np.sort(np.concatenate(found), axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int32)


def _classes(asked: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Classes of spacing, (least, greatest) of each: one for each value, or for a share of them where there are many.

    With those of a class as the smaller one of a pair, only pairs up to its greatest spacing have to be looked at.
    """
    values = np.unique(asked)
    parts = np.array_split(values, min(len(values), _MOST_CLASSES)) if len(values) else []
    return [(float(part[0]), float(part[-1])) for part in parts]


"""Weighted density clusters (DBSCAN) of the cells of a regular lattice, filled and divided."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from siteplan.errors import ModelError

_UNITS = 2.0**20
"""Weights are summed in whole units of 2^-20, so that sums do not depend on their order."""
_AT_ONCE = 4096
"""So many cells are looked through at a time for the next one that is free."""
_HAIR = 1.0 + 1e-9
Labels = NDArray[np.int32]


def cluster_cells(weight: ArrayLike, reach: float, least: float) -> Labels:
    """Clusters of the cells with weight: scikit-learn's DBSCAN with the weights as sample weights.

    Parameters
    ----------
    weight : array_like of float, shape (rows, cols)
        Weight of each cell; cells of weight 0 take no part.
    reach : float
        Cells whose centres are at most so far apart are neighbours, in cells (``eps``); at least 0.
    least : float
        A cell is a core when the weights within ``reach`` of it, its own with them, come to so much (``min_samples``).

    Returns
    -------
    ndarray of int32, shape (rows, cols)
        0 = no cluster, else 1, 2, ... in the order of each cluster's first core by row, then column. Cores within
        ``reach`` of one another share a cluster; other cells within ``reach`` of a core join the first such cluster.

    Raises
    ------
    ModelError
        When the weights are not a finite 2-D array without negative values, or ``reach`` is negative.

    Notes
    -----
    M. Ester et al., A density-based algorithm for discovering clusters, KDD 1996. HDBSCAN takes no sample weights, so
    cells would have to be repeated; on the sample it was fifteen times slower and left a part of the people as noise.

    Examples
    --------
    >>> cluster_cells([[30.0, 0.0, 30.0, 0.0, 0.0, 5.0, 0.0, 60.0]], 2.0, 50.0).tolist()
    [[1, 0, 1, 0, 0, 2, 0, 2]]
    """
    from sklearn.cluster import DBSCAN

    values = np.asarray(weight, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all() or (values < 0).any() or reach < 0:
        raise ModelError("weights of cells are a finite 2-D array without negative values, the reach is 0 or more")
    labels = np.zeros(values.shape, np.int32)
    places = np.column_stack(np.nonzero(values))
    if len(places):
        units = np.rint(values[values > 0] * _UNITS)
        found = DBSCAN(eps=max(reach, 1e-9) * _HAIR, min_samples=max(round(least * _UNITS), 1)).fit(
            places, sample_weight=units)
        labels[places[:, 0], places[:, 1]] = found.labels_ + 1
    return labels


def _sums_around(values: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Sum of the weights within a distance of each cell, its own with them."""
    span = np.arange(-math.floor(reach), math.floor(reach) + 1)
    disc = np.hypot(span[:, None], span) <= reach * _HAIR
    return np.asarray(ndimage.convolve(np.rint(values * _UNITS), disc.astype(np.float64), mode="constant"))


def fill_between(labels: Labels) -> Labels:
    """Clusters with the cells of no cluster that lie between clustered ones: what a closing of 3 x 3 cells adds.

    So holes and strips of up to two cells are filled. Of several clusters beside a cell the first takes it.

    Examples
    --------
    >>> fill_between(np.array([[0, 1, 0, 1, 0, 0]], np.int32)).tolist()
    [[0, 1, 1, 1, 0, 0]]
    """
    square = np.ones((3, 3), np.bool_)
    closed = ndimage.binary_closing(np.pad(labels > 0, 1), square)[1:-1, 1:-1]
    last = np.iinfo(np.int32).max
    beside = ndimage.minimum_filter(np.where(labels > 0, labels, last), 3, mode="constant", cval=last)
    return np.where(labels > 0, labels, np.where(closed & (beside < last), beside, 0)).astype(np.int32)


def divide_wide(labels: Labels, weight: ArrayLike, reach: float, widest: float) -> Labels:
    """Clusters with those divided that are wider than a site or a few could serve.

    Parameters
    ----------
    labels : ndarray of int32, shape (rows, cols)
        0 = no cluster, else 1, 2, ...
    weight : array_like of float, shape (rows, cols)
        Weight of each cell, as in :func:`cluster_cells`.
    reach : float
        A cell is as dense as the weight within ``reach``, in cells.
    widest : float
        A cluster that is higher or wider than this is divided, in cells; no piece of it is.

    Returns
    -------
    ndarray of int32, shape (rows, cols)
        The first piece of a cluster keeps its number, the others have numbers after all clusters.

    Notes
    -----
    Middles are taken by falling density (then by row and column), none within half of ``widest`` of one that was
    taken before; each cell joins the nearest middle of its cluster. Other clusters make no difference.

    Examples
    --------
    >>> row = np.array([[9.0, 3.0, 3.0, 3.0, 3.0, 3.0, 8.0]])
    >>> divide_wide(np.ones((1, 7), np.int32), row, 0.0, 6.0).tolist()
    [[1, 1, 1, 1, 2, 2, 2]]
    """
    out = labels.copy()
    last = int(labels.max(initial=0))
    too_wide = [(number, part) for number, part in enumerate(ndimage.find_objects(labels), start=1)
                if part is not None and max(axis.stop - axis.start for axis in part) > widest]
    if not too_wide:
        return out
    values = np.asarray(weight, np.float64)
    dense = _sums_around(values, reach)
    for number, part in too_wide:
        own = labels[part] == number
        cells = np.column_stack(np.nonzero(own))
        middles = _middles(own, cells[np.argsort(-dense[part][own], kind="stable")], widest / 2)
        _, nearest = cKDTree(middles).query(cells)
        out[part][own] = np.where(nearest == 0, number, last + nearest)
        last += len(middles) - 1
    return out


def _middles(own: NDArray[np.bool_], cells: NDArray[np.int64], apart: float) -> NDArray[np.int64]:
    """Cells of a cluster, the first ones first, none within a distance of another."""
    free = np.pad(own, math.floor(apart))
    span = np.arange(-math.floor(apart), math.floor(apart) + 1)
    disc = np.hypot(span[:, None], span) <= apart
    taken: list[NDArray[np.int64]] = []
    start, places = 0, cells + math.floor(apart)
    while start < len(cells):
        chunk = places[start:start + _AT_ONCE]
        found = np.flatnonzero(free[chunk[:, 0], chunk[:, 1]])
        if found.size == 0:
            start += _AT_ONCE
            continue
        start += int(found[0])
        taken.append(cells[start])
        row, col = cells[start]
        free[row:row + span.size, col:col + span.size] &= ~disc
    return np.array(taken)

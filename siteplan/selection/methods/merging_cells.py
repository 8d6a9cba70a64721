"""Cells that the same candidates serve, as one: exact, and much less to go through."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import add_by_number, add_steps
from siteplan.selection.model.reach import Reach

_MANY = 4_000_000
_SEED = 20_000_003


def merge_cells(reach: Reach, weight: NDArray[Any], keep: NDArray[np.bool_] | None = None,
                everywhere: bool | None = None) -> tuple[Reach, NDArray[np.float64], NDArray[np.int32]]:
    """Drop cells that count nothing or that nobody serves, merge cells that the same candidates serve.

    Whatever is chosen, merged cells are served by equally many: sums over cells (served weight, second servers,
    floors) stay the same when weights are added up. A multiplier of a merged cell is split over its cells in
    proportion to their worth. Neighbours are merged where no interval begins or ends between them; cells apart by a
    sum of random numbers of their candidates (64 bit: among four million cells, two that differ are taken for the
    same with a chance below 1e-6 in all).

    Parameters
    ----------
    reach : Reach
    weight : ndarray, shape (cells,)
        >= 0.
    keep : ndarray of bool, shape (cells,), optional
        Cells that count though their weight is 0 (those of floors).
    everywhere : bool, optional
        Merge cells that are not neighbours too; by default where at most four million are left.

    Returns
    -------
    Reach
        Of the merged cells, in the order of the first cell of each.
    ndarray of float64, shape (merged cells,)
        Their weight.
    ndarray of int32, shape (cells,)
        Merged cell of each cell, -1 for those dropped.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 0], [1, 0], [1, 1], [0, 0], [1, 0]])))
    >>> merged, weight, cell_of = merge_cells(reach, np.array([3.0, 2.0, 1.0, 9.0, 4.0]))
    >>> weight.tolist(), cell_of.tolist(), merged.first.tolist(), merged.end.tolist()
    ([9.0, 1.0], [0, 0, 1, -1, 0], [0, 1], [2, 2])
    """
    useful = np.asarray(weight) > 0 if keep is None else (np.asarray(weight) > 0) | keep
    edge = np.zeros(reach.cells + 1, dtype=bool)
    edge[reach.first] = True
    edge[reach.end] = True
    segment = np.cumsum(edge, dtype=np.int32)
    count = int(segment[-1]) + 1
    whole = Reach(count, reach.indptr, segment[reach.first], segment[reach.end])
    kept = np.zeros(count, dtype=bool)
    kept[segment[:-1][useful]] = True
    kept &= spread_over(whole, np.ones(len(reach), dtype=np.int32)) > 0
    merged, number = _kept(whole, kept)
    if everywhere or (everywhere is None and merged.cells <= _MANY):
        alone, same = _first_alike(merged)
        merged, again = _kept(merged, alone)
        number[kept] = again[same][number[kept]]
    cell_of = number[segment[:-1]]
    cell_of[~useful] = -1
    total = np.zeros(merged.cells)
    add_by_number(cell_of, np.asarray(weight, dtype=np.float64), total)
    return merged, total, cell_of


def spread_over(reach: Reach, values: NDArray[Any]) -> NDArray[Any]:
    """Sum of a value per candidate over those that serve each cell, shape (cells,); of the type of the values.

    >>> reach = Reach(3, np.array([0, 1, 2]), np.array([0, 1], dtype=np.int32), np.array([2, 3], dtype=np.int32))
    >>> spread_over(reach, np.array([2.0, 0.5])).tolist()
    [2.0, 2.5, 0.5]
    """
    steps = np.zeros(reach.cells + 1, dtype=values.dtype)
    add_steps(reach.indptr, reach.first, reach.end, values, steps)
    return np.cumsum(steps[:-1], dtype=values.dtype)


def _kept(reach: Reach, kept: NDArray[np.bool_]) -> tuple[Reach, NDArray[np.int32]]:
    """The reach on some cells, and the new number of each cell (-1: dropped)."""
    before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
    first, end = before[reach.first], before[reach.end]
    owner = np.repeat(np.arange(len(reach), dtype=np.int32), np.diff(reach.indptr))
    full = first < end
    first, end, owner = first[full], end[full], owner[full]
    begins = np.ones(len(first), dtype=bool)
    begins[1:] = (first[1:] != end[:-1]) | (owner[1:] != owner[:-1])
    stops = np.ones(len(first), dtype=bool)
    stops[:-1] = begins[1:]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner[begins], minlength=len(reach)))]).astype(np.int64)
    number = np.where(kept, before[:-1], -1).astype(np.int32)
    return Reach(int(before[-1]), indptr, first[begins], end[stops]), number


def _first_alike(reach: Reach) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each cell is the first with its candidates, and which cell is the first for it."""
    marks = np.random.default_rng(_SEED).integers(1, 2**63, len(reach), dtype=np.uint64)
    with np.errstate(over="ignore"):  # sums modulo 2^64 are meant
        sums = spread_over(reach, marks)
    _, at, back = np.unique(sums, return_index=True, return_inverse=True)
    alone = np.zeros(reach.cells, dtype=bool)
    alone[at] = True
    return alone, np.asarray(at[back])

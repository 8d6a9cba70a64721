"""Service that counts in part: cells split into levels, so that every method works on served or not served.

A candidate may serve a cell in part (a site of a lower tier, a signal of a lower probability). Of several chosen
candidates the best one counts. With levels p_1 < ... < p_k each cell is k sub-cells of weight w (p_l - p_(l-1)), and
sub-cell l is served by whoever serves the cell with p_l or more: the served sub-cells then weigh w times the best
service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from siteplan.errors import ModelError
from siteplan.selection.model.reach import Reach

TOLERANCE = 1e-6
"""Service of at least a level less this reaches the level."""
_MERGED = 2.0 * TOLERANCE
_MOST_CELLS = 2**31 - 2


@dataclass(frozen=True, eq=False)
class Levels:
    """Cells split into sub-cells.

    Attributes
    ----------
    levels : tuple of float
        Rising, in (0, 1].
    reach : Reach
        Over sub-cells; sub-cell (level l, cell j) has the number ``l * cells + j``.
    weight : ndarray of float64, shape (levels * cells,)
        Of the sub-cells.
    cells : int
        Number of plain cells.
    service : csc_matrix of float64, shape (cells, candidates)
        Service of every entry rounded down to its level.
    already : ndarray of float64, shape (cells,)
        Service that was there before, rounded down to a level.
    """

    levels: tuple[float, ...]
    reach: Reach
    weight: NDArray[np.float64]
    cells: int
    service: sp.csc_matrix
    already: NDArray[np.float64]

    def plain(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of a value per sub-cell over the levels of each cell, shape (cells,)."""
        return np.asarray(values).reshape(len(self.levels), self.cells).sum(axis=0)


def service_of(probability: sp.spmatrix, preference: ArrayLike, grades: Sequence[float] | None = None,
               least: float = 0.0) -> sp.csc_matrix:
    """Share of a cell's weight that counts when a candidate serves it.

    Parameters
    ----------
    probability : scipy.sparse matrix, shape (cells, candidates)
        Probability of coverage that each candidate gives.
    preference : array, shape (candidates,)
        What service by each counts, in (0, 1].
    grades : sequence of float, optional
        Probabilities, rising in (0, 1]: a cell counts with the greatest one that its probability reaches, rounded down.
        Absent: a cell that is served counts whole.
    least : float
        Probability at which a cell is served at all.

    Returns
    -------
    csc_matrix of float64
        In (0, 1]; entries that serve nothing are left out.

    Raises
    ------
    ModelError
        Shapes do not match, or numbers are out of bounds.

    Examples
    --------
    >>> heard = sp.csc_matrix(np.array([[0.8, 0.95], [0.4, 0.6]]))
    >>> service_of(heard, [1.0, 0.5], least=0.75).toarray().tolist()
    [[1.0, 0.5], [0.0, 0.0]]
    >>> service_of(heard, [1.0, 0.5], (0.5, 0.75, 0.9)).toarray().tolist()
    [[0.75, 0.45], [0.0, 0.25]]
    """
    found = sp.csc_matrix(probability, dtype=np.float64, copy=True)
    found.sum_duplicates()
    worth = np.asarray(preference, dtype=np.float64)
    if worth.shape != (found.shape[1],):
        raise ModelError(f"{worth.size} preferences for {found.shape[1]} candidates")
    if not ((worth > 0) & (worth <= 1)).all():
        raise ModelError("preferences must lie in (0, 1]")
    steps = np.asarray([1.0] if grades is None else grades, dtype=np.float64)
    if not (len(steps) and steps[0] > 0 and steps[-1] <= 1 and (np.diff(steps) > 0).all()):
        raise ModelError(f"grades must rise within (0, 1]: {steps.tolist()}")
    if not ((found.data >= 0) & (found.data <= 1)).all():
        raise ModelError("probabilities must lie in 0..1")
    counted = np.ones(found.nnz)
    if grades is not None:
        counted = np.concatenate([[0.0], steps])[np.searchsorted(steps, found.data, side="right")]
    counted[(found.data < least) | (found.data == 0)] = 0.0
    found.data = counted * np.repeat(worth, np.diff(found.indptr))
    found.eliminate_zeros()
    return found


def levelled(service: sp.spmatrix, weight: ArrayLike, already: ArrayLike | None = None) -> Levels:
    """Split cells by the levels of service that occur.

    Parameters
    ----------
    service : scipy.sparse matrix, shape (cells, candidates)
        Share of the cell's weight that counts when the candidate serves it, in (0, 1]; 0 = does not serve it.
    weight : array, shape (cells,)
        >= 0.
    already : array, shape (cells,), optional
        Service that existing stations give, 0..1: only what is above it counts. Sub-cells up to it weigh 0.

    Returns
    -------
    Levels
        Levels that differ by less than 2e-6 are one, the least of them: service is rounded down, never up. Without
        any service there is one level, 1.

    Raises
    ------
    ModelError
        A dense matrix, service out of 0..1, weights that are negative or not finite, or more sub-cells than int32 can
        number.

    Examples
    --------
    One cell of weight 10, served in half by the first candidate and whole by the second:

    >>> split = levelled(sp.csc_matrix(np.array([[0.5, 1.0]])), [10.0])
    >>> split.levels, split.weight.tolist(), split.reach.sums(split.weight).tolist()
    ((0.5, 1.0), [5.0, 5.0], [5.0, 10.0])
    >>> levelled(sp.csc_matrix(np.array([[0.5, 1.0]])), [10.0], already=[0.5]).weight.tolist()
    [0.0, 5.0]
    """
    found, worth, before = _checked(service, weight, already)
    cells = found.shape[0]
    firsts = _levels(np.concatenate([np.unique(found.data), np.unique(before[before > 0])]))
    if cells * len(firsts) > _MOST_CELLS:
        raise ModelError(f"{cells} cells at {len(firsts)} levels of service are more than {_MOST_CELLS} sub-cells: "
                         "grade the service coarser (service_of)")
    number = np.searchsorted(firsts, found.data, side="right") - 1
    found.data = firsts[number]
    before = np.concatenate([[0.0], firsts])[np.searchsorted(firsts, before, side="right")]
    parts = np.diff(firsts, prepend=0.0)[:, None] * worth
    parts[firsts[:, None] <= before] = 0.0
    return Levels(tuple(firsts.tolist()), _reach(found, number, len(firsts)), parts.ravel(), cells, found, before)


def _checked(service: sp.spmatrix, weight: ArrayLike, already: ArrayLike | None,
             ) -> tuple[sp.csc_matrix, NDArray[np.float64], NDArray[np.float64]]:
    if not sp.issparse(service):
        raise ModelError("service must be a scipy.sparse matrix, cells x candidates")
    found = sp.csc_matrix(service, dtype=np.float64, copy=True)
    found.sum_duplicates()
    found.eliminate_zeros()
    found.sort_indices()
    worth = np.asarray(weight, dtype=np.float64)
    before = np.zeros(len(worth)) if already is None else np.array(already, dtype=np.float64)
    if worth.shape != (found.shape[0],) or before.shape != worth.shape:
        raise ModelError(f"service of {found.shape[0]} cells, {worth.size} weights, {before.size} values of already")
    if not ((found.data > 0) & (found.data <= 1.0 + TOLERANCE)).all():
        raise ModelError("service must lie in (0, 1]")
    if not (np.isfinite(worth) & (worth >= 0)).all():
        raise ModelError("weights must be finite and >= 0")
    if not ((before >= 0) & (before <= 1.0 + TOLERANCE)).all():
        raise ModelError("service that is there already must lie in 0..1")
    np.minimum(found.data, 1.0, out=found.data)
    return found, worth, np.minimum(before, 1.0)


def _levels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least value of each level, rising: a level holds all that is less than ``_MERGED`` above it."""
    left = np.unique(values)
    firsts = []
    while len(left):
        firsts.append(float(left[0]))
        left = left[np.searchsorted(left, left[0] + _MERGED):]
    return np.array(firsts or [1.0])


def _reach(service: sp.csc_matrix, number: NDArray[np.int64], levels: int) -> Reach:
    """Intervals of sub-cells of each candidate: the runs of each level, one level after the other."""
    cells, candidates = service.shape
    owner = np.repeat(np.arange(candidates, dtype=np.int32), np.diff(service.indptr))
    runs = [_runs(service.indices[number >= level] + np.int32(level * cells), owner[number >= level])
            for level in range(levels)]
    counts = [np.bincount(column, minlength=candidates) for _, _, column in runs]
    ends = np.cumsum(np.sum(counts, axis=0))
    first, end = (np.empty(int(ends[-1]) if candidates else 0, dtype=np.int32) for _ in range(2))
    column = np.repeat(np.arange(candidates, dtype=np.int32), np.diff(ends, prepend=0))
    place = np.concatenate([[0], ends[:-1]]) if candidates else ends
    for (starts, stops, own), count in zip(runs, counts, strict=True):
        at = np.arange(len(own)) + (place - np.cumsum(count) + count)[own]
        first[at], end[at] = starts, stops
        place = place + count
    begins = np.ones(len(first), dtype=bool)  # the last cell of a level and the first of the next may meet
    begins[1:] = (first[1:] != end[:-1]) | (column[1:] != column[:-1])
    at = np.flatnonzero(begins)
    last = np.concatenate([at[1:], [len(first)]])[:len(at)] - 1
    count = np.bincount(column[at], minlength=candidates)
    return Reach(cells * levels, np.concatenate([[0], np.cumsum(count)]).astype(np.int64), first[at], end[last])


def _runs(rows: NDArray[np.int32], owner: NDArray[np.int32],
          ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """First cell, the cell after the last, and owner of every run of cells that follow each other."""
    begins = np.ones(len(rows), dtype=bool)
    begins[1:] = (np.diff(rows) != 1) | (np.diff(owner) != 0)
    at = np.flatnonzero(begins)
    last = np.concatenate([at[1:], [len(rows)]])[:len(at)] - 1
    return rows[at], rows[last] + np.int32(1), owner[at]

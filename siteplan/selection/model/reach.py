"""Which cells each candidate serves, as intervals of cell numbers: the form every method works on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.errors import ModelError

_MOST_CELLS = 2**31 - 2


@dataclass(frozen=True, eq=False)
class Reach:
    """Cells that candidates serve, as intervals.

    Cells that lie beside each other in space should have numbers near to each other: the runs of a footprint along a
    row of pixels are then one interval each, and sums over them are two reads of a running sum.

    Attributes
    ----------
    cells : int
        Number of cells; they are numbered from 0.
    indptr : ndarray of int64, shape (candidates + 1,)
        Intervals ``indptr[k]`` to ``indptr[k + 1] - 1`` are those of candidate k, ascending, neither meeting nor
        overlapping.
    first, end : ndarray of int32, shape (intervals,)
        First cell of each interval, and the first cell after it.
    """

    cells: int
    indptr: NDArray[np.int64]
    first: NDArray[np.int32]
    end: NDArray[np.int32]

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.indptr) - 1

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Cells that each candidate serves, shape (candidates,)."""
        total = np.concatenate([[0], np.cumsum(self.end.astype(np.int64) - self.first)])
        return np.asarray(np.diff(total[self.indptr]))

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum of a value per cell over the cells of each candidate, shape (candidates,)."""
        before = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        parts = np.concatenate([[0.0], np.cumsum(before[self.end] - before[self.first])])
        return np.asarray(np.diff(parts[self.indptr]))

    def served(self, chosen: NDArray[Any]) -> NDArray[np.int32]:
        """How many of the chosen candidates (numbers) serve each cell, shape (cells,)."""
        steps = np.zeros(self.cells + 1, dtype=np.int32)
        for candidate in np.asarray(chosen, dtype=np.int64):
            part = slice(int(self.indptr[candidate]), int(self.indptr[candidate + 1]))
            steps[self.first[part]] += 1
            steps[self.end[part]] -= 1
        return np.asarray(np.cumsum(steps[:-1], dtype=np.int32))

    def cells_of(self, candidate: int) -> NDArray[np.int64]:
        """Cells that one candidate serves, ascending."""
        part = slice(int(self.indptr[candidate]), int(self.indptr[candidate + 1]))
        first, count = self.first[part].astype(np.int64), (self.end[part] - self.first[part]).astype(np.int64)
        ends = np.cumsum(count)
        return np.repeat(first - (ends - count), count) + np.arange(int(ends[-1]) if len(ends) else 0)

    def matrix(self) -> sp.csc_matrix:
        """The same as a csc matrix of ones, cells x candidates (for small problems: one entry per served cell)."""
        count = (self.end - self.first).astype(np.int64)
        ends = np.cumsum(count)
        total = int(ends[-1]) if len(ends) else 0
        rows = np.repeat(self.first - (ends - count), count) + np.arange(total)
        indptr = np.concatenate([[0], np.cumsum(self.counts)])
        return sp.csc_matrix((np.ones(total), rows, indptr), shape=(self.cells, len(self)))

    def pick(self, candidates: NDArray[Any]) -> Reach:
        """The reach of some candidates, in the order given."""
        numbers = np.asarray(candidates, dtype=np.int64)
        count = np.diff(self.indptr)[numbers]
        ends = np.cumsum(count)
        at = np.repeat(self.indptr[numbers] - (ends - count), count) + np.arange(int(ends[-1]) if len(ends) else 0)
        return Reach(self.cells, np.concatenate([[0], ends]).astype(np.int64), self.first[at], self.end[at])


def reach_of_matrix(matrix: sp.spmatrix) -> Reach:
    """The reach of a sparse matrix, cells x candidates; every entry that is not 0 serves.

    Raises
    ------
    ModelError
        A dense matrix, or more cells than int32 can number.

    Examples
    --------
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 0], [1, 1], [0, 1], [1, 0]])))
    >>> reach.first.tolist(), reach.end.tolist(), reach.indptr.tolist()
    ([0, 3, 1], [2, 4, 3], [0, 2, 3])
    >>> reach.sums(np.array([1.0, 2.0, 4.0, 8.0])).tolist(), reach.served(np.array([0, 1])).tolist()
    ([11.0, 6.0], [1, 2, 1, 1])
    """
    if not sp.issparse(matrix):
        raise ModelError("reach must be a scipy.sparse matrix, demand x sites")
    found = sp.csc_matrix(matrix, copy=True)
    found.sum_duplicates()
    found.eliminate_zeros()
    found.sort_indices()
    cells, candidates = found.shape
    if cells > _MOST_CELLS:
        raise ModelError(f"reach has {cells} rows, more than {_MOST_CELLS}")
    rows = found.indices.astype(np.int64)
    column = np.repeat(np.arange(candidates), np.diff(found.indptr))
    begins = np.ones(len(rows), dtype=bool)
    begins[1:] = (np.diff(rows) != 1) | (np.diff(column) != 0)
    at = np.flatnonzero(begins)
    last = np.concatenate([at[1:], [len(rows)]])[:len(at)] - 1
    count = np.bincount(column[at], minlength=candidates)
    return Reach(cells, np.concatenate([[0], np.cumsum(count)]).astype(np.int64), rows[at].astype(np.int32),
                 (rows[last] + 1).astype(np.int32))

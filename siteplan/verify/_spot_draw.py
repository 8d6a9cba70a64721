"""Which pairs of candidate and cell the spot check looks at: drawn by a seed, half of them served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRIES = 200
"""Draws in vain after which no more pairs of a sort are sought."""


@dataclass(frozen=True, eq=False)
class StoredReach:
    """The reach as the certificate holds it.

    Attributes
    ----------
    indptr : ndarray of int64 (candidates + 1,)
        Entries of each candidate.
    indices : ndarray of int (entries,)
        Cells that it serves, rising.
    service : ndarray of float (entries,)
    row, col : ndarray of int (cells,)
        Pixel of each cell.
    chosen : ndarray of int
        Numbers of the chosen candidates.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.integer[Any]]
    service: NDArray[np.floating[Any]]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    chosen: NDArray[np.int64]

    def cells_of(self, candidate: int) -> NDArray[np.integer[Any]]:
        """Cells that a candidate serves."""
        return self.indices[self.indptr[candidate]:self.indptr[candidate + 1]]

    def service_of(self, candidate: int, cell: int) -> float:
        """Stored service of a pair; 0 where the candidate does not serve the cell."""
        found = np.flatnonzero(self.cells_of(candidate) == cell)
        return float(self.service[self.indptr[candidate] + found[0]]) if found.size else 0.0


def draw_served(reach: StoredReach, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Served pairs (candidate, cell): every other one of a chosen candidate, the rest of any; no pair twice."""
    counts = np.diff(reach.indptr)
    every_one = np.arange(len(counts))
    ends = {False: reach.indptr[1:], True: np.cumsum(counts[reach.chosen])}

    def entries() -> Iterator[tuple[int, int]]:
        for turn in range(count + TRIES):
            from_chosen = turn % 2 == 0 and reach.chosen.size > 0 and ends[True][-1] > 0
            among, last = (reach.chosen if from_chosen else every_one), ends[from_chosen]
            entry = int(rng.integers(last[-1]))
            place = int(np.searchsorted(last, entry, side="right"))
            candidate = int(among[place])
            within = entry - int(last[place] - counts[candidate])
            yield candidate, int(reach.indices[reach.indptr[candidate] + within])

    return _first(entries(), count) if len(reach.indices) else []


def draw_unserved(reach: StoredReach, rng: np.random.Generator, count: int,
                  masts: tuple[NDArray[np.int64], NDArray[np.int64]]) -> list[tuple[int, int]]:
    """Pairs (candidate, cell) that are not served although in range, as :func:`draw_served`.

    Two of four lie no farther than the farthest cell that the candidate serves: a false "not served" would be there.

    ``masts`` holds the pixel (row, column) and the range in pixels of each candidate: arrays (candidates, 2) and
    (candidates,), a range below 0 for one that cannot be recomputed.
    """
    pixels, ranges = masts
    any_one = np.flatnonzero(ranges >= 0)
    chosen = reach.chosen[ranges[reach.chosen] >= 0]

    def pairs() -> Iterator[tuple[int, int]]:
        for turn in range(count + TRIES):
            pool = chosen if turn % 2 == 0 and chosen.size else any_one
            candidate = int(pool[rng.integers(pool.size)])
            square = (reach.row - pixels[candidate, 0]) ** 2 + (reach.col - pixels[candidate, 1]) ** 2
            served, limit = reach.cells_of(candidate), int(ranges[candidate]) ** 2
            if turn % 4 < 2 and served.size:
                limit = min(limit, int(square[served].max()))
            near = square <= limit
            near[served] = False
            cells = np.flatnonzero(near)
            if cells.size:
                yield candidate, int(cells[rng.integers(cells.size)])

    return _first(pairs(), count) if any_one.size else []


def _first(pairs: Iterator[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """The first different pairs."""
    found: dict[tuple[int, int], None] = {}
    while len(found) < count and (pair := next(pairs, None)) is not None:
        found[pair] = None
    return list(found)

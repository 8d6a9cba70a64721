"""Passes over the cells of a reach: runs sorted by blocks of cells, parts of them in threads.

Parts are the same whatever the number of threads, and their sums are added in order: so is the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import advance_cells, count_runs, fill_runs, weigh_cells
from siteplan.selection.model.reach import Reach

_BLOCK = 2048
_PARTS = 8
_RUNS_A_PART = 100_000
_EMPTY = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Passes:
    """A reach sorted for passes over all cells.

    Attributes
    ----------
    cells : int
    order : ndarray of int64, shape (candidates,)
        Candidate of each place; places are ordered by the first cell, so that neighbours lie near to each other in
        memory. All vectors over candidates here are in the order of places.
    start : ndarray of int64, shape (blocks + 1,)
        First run of each block.
    who, begin, stop : ndarray of int32, uint16, uint16
        Runs: place of the candidate, first cell and cell after the last, from the start of the block.
    parts : tuple of (int, int)
        Blocks, first and last + 1, that are done together.
    threads : int
    """

    cells: int
    order: NDArray[np.int64]
    start: NDArray[np.int64]
    who: NDArray[np.int32]
    begin: NDArray[np.uint16]
    stop: NDArray[np.uint16]
    parts: tuple[tuple[int, int], ...]
    threads: int

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads)

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return np.zeros((len(self.parts), len(self.order)))

    def close(self) -> None:
        """End the threads."""
        if "_pool" in self.__dict__:
            self._pool.shutdown()

    def _run(self, work: Callable[[int], tuple[float, ...]]) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        self._sums[:] = 0.0
        numbers = range(len(self.parts))
        if self.threads > 1 and len(self.parts) > 1:
            found = list(self._pool.map(work, numbers))
        else:
            found = [work(number) for number in numbers]
        total = self._sums[0].copy()
        for part in self._sums[1:]:
            total += part
        return total, tuple(float(sum(column)) for column in zip(*found, strict=True))

    def advance(self, cells: tuple[NDArray[np.float32], ...], y: NDArray[np.float64], length: float, weight: float,
                served: NDArray[np.float32] = _EMPTY) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        """One step of the cells, see ``advance_cells``: sums per candidate; way, left over, second left over."""
        runs = (self.who, self.begin, self.stop)

        def work(number: int) -> tuple[float, ...]:
            low, high = self.parts[number]
            return tuple(advance_cells((self.start, _BLOCK, low, high), runs, cells, y, (length, weight),
                                       (self._sums[number], served)))

        return self._run(work)

    def weigh(self, cells: tuple[NDArray[np.float32], ...], y: NDArray[np.float64],
              served: NDArray[np.float32] = _EMPTY) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        """What shares and y are worth, see ``weigh_cells``: sums per candidate; left over, second, served worth."""
        runs = (self.who, self.begin, self.stop)

        def work(number: int) -> tuple[float, ...]:
            low, high = self.parts[number]
            return tuple(weigh_cells((self.start, _BLOCK, low, high), runs, cells, y, (self._sums[number], served)))

        return self._run(work)


def build_passes(reach: Reach, threads: int) -> Passes:
    """Sort the runs of a reach by blocks of cells."""
    blocks = max(-(-reach.cells // _BLOCK), 1)
    count = np.zeros(blocks, dtype=np.int64)
    count_runs(reach.indptr, reach.first, reach.end, _BLOCK, count)
    start = np.concatenate([[0], np.cumsum(count)])
    has = np.diff(reach.indptr) > 0
    place = np.full(len(reach), reach.cells, dtype=np.int64)
    place[has] = reach.first[reach.indptr[:-1][has]]
    order = np.argsort(place, kind="stable")
    total = int(start[-1])
    runs = (np.empty(total, np.int32), np.empty(total, np.uint16), np.empty(total, np.uint16))
    fill_runs(order, (reach.indptr, reach.first, reach.end), _BLOCK, start[:-1].copy(), runs)
    work = total + reach.cells
    parts = int(min(_PARTS, blocks, max(work // _RUNS_A_PART, 1)))
    done = start[:-1] + _BLOCK * np.arange(blocks)
    cuts = np.unique(np.concatenate([[0], np.searchsorted(done, work * np.arange(1, parts) / parts), [blocks]]))
    return Passes(reach.cells, order, start, *runs,
                  tuple((int(low), int(high)) for low, high in pairwise(cuts)), threads)

"""Cells that the same candidates serve count as one: smaller problems with the same answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.selection.model import Floor, Problem, Reach
from siteplan.selection.model.reach import reach_of_matrix

_SEED = 5


def segment_starts(reach: Reach) -> NDArray[np.int64]:
    """First cells of the longest runs of cells that the same candidates serve; the first of them is 0.

    >>> segment_starts(Reach(6, np.array([0, 1, 2]), np.array([1, 2], np.int32), np.array([4, 4], np.int32))).tolist()
    [0, 1, 2, 4]
    """
    mark = np.zeros(reach.cells + 1, dtype=bool)
    mark[0] = True
    mark[reach.first] = True
    mark[reach.end] = True
    return np.flatnonzero(mark[:-1])


def merge_signatures(problem: Problem) -> tuple[Problem, NDArray[np.int64]]:
    """Cells with the same candidates become one; cells that cannot matter are left out.

    Sets of candidates are compared by 128 random bits (sums modulo 2^64 of two random numbers per candidate, by
    differences along the intervals), and the merged cells are then held against every candidate's own list: a
    collision cannot pass. The floors need no split: cells with the same candidates are served together.

    Returns
    -------
    Problem
        The same problem over fewer cells: every choice has the same value and breaks the same limits.
    ndarray of int64, shape (cells,)
        New number of each cell; -1 for cells that nobody reaches, or that neither weigh nor belong to a floor.

    Examples
    --------
    >>> from siteplan.selection.model.problem import cover_problem
    >>> matrix = sp.csc_matrix(np.array([[1, 1], [1, 0], [0, 0], [1, 1]]))
    >>> merged, number = merge_signatures(cover_problem(reach_of_matrix(matrix), [3.0, 2.0, 7.0, 4.0]))
    >>> merged.weight.tolist(), number.tolist()
    ([7.0, 2.0], [0, 1, -1, 0])
    """
    starts = segment_starts(problem.reach)
    segments = _on_segments(problem.reach, starts)
    used = (degrees(segments) > 0) & _matters(problem, starts)
    found, seed = None, _SEED
    while found is None:
        label = _labels(_hashes(segments, seed), used)
        found, seed = _merged_reach(segments, label), seed + 1
    number = np.repeat(label, np.diff(np.append(starts, problem.reach.cells)))
    return _renumbered(problem, found, number), number


def degrees(reach: Reach) -> NDArray[np.int64]:
    """How many candidates serve each cell, shape (cells,)."""
    steps = np.bincount(reach.first, minlength=reach.cells + 1) - np.bincount(reach.end, minlength=reach.cells + 1)
    return np.asarray(np.cumsum(steps[:-1]))


def signature_sizes(reach: Reach) -> NDArray[np.int64]:
    """Number of candidates of each distinct set of candidates (empty ones left out), in no useful order."""
    segments = _on_segments(reach, segment_starts(reach))
    degree = degrees(segments)
    label = _labels(_hashes(segments, _SEED), degree > 0)
    sizes = np.zeros(int(label.max(initial=-1)) + 1, dtype=np.int64)
    sizes[label[label >= 0]] = degree[label >= 0]
    return sizes


def _on_segments(reach: Reach, starts: NDArray[np.int64]) -> Reach:
    number = np.zeros(reach.cells + 1, dtype=np.int32)
    number[starts[1:]] = 1
    number = np.cumsum(number, dtype=np.int32)
    number[-1] = len(starts)
    return Reach(len(starts), reach.indptr, number[reach.first], number[reach.end])


def _matters(problem: Problem, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    heavy = problem.weight > 0
    for floor in problem.floors:
        heavy[floor.cells] = True
    return np.logical_or.reduceat(heavy, starts) if len(heavy) else heavy


def _hashes(reach: Reach, seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Two sums modulo 2^64 per cell over its candidates, each with a random number."""
    random = np.random.default_rng(seed)
    per_candidate = np.diff(reach.indptr)
    sums = []
    for _ in range(2):
        values = np.repeat(random.integers(0, 2**64, size=len(reach), dtype=np.uint64), per_candidate)
        steps = np.zeros(reach.cells + 1, dtype=np.uint64)
        np.add.at(steps, reach.first, values)
        np.subtract.at(steps, reach.end, values)
        sums.append(np.cumsum(steps[:-1], dtype=np.uint64))
    return sums[0], sums[1]


def _labels(hashes: tuple[NDArray[np.uint64], NDArray[np.uint64]], used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of each cell's signature, in the order of their first cells; -1 for cells that are not used."""
    label = np.full(len(used), -1, dtype=np.int64)
    cells = np.flatnonzero(used)
    if not len(cells):
        return label
    one, two = hashes[0][cells], hashes[1][cells]
    order = np.argsort(one, kind="stable")
    begins = np.ones(len(cells), dtype=bool)
    begins[1:] = (np.diff(one[order]) != 0) | (np.diff(two[order]) != 0)
    run = np.cumsum(begins) - 1
    rank = np.empty(int(run[-1]) + 1, dtype=np.int64)
    rank[np.argsort(order[begins], kind="stable")] = np.arange(len(rank))
    label[cells[order]] = rank[run]
    return label


def _merged_reach(reach: Reach, label: NDArray[np.int64]) -> Reach | None:
    """The reach over signatures; None where a candidate serves only a part of one, which is a collision."""
    count = int(label.max(initial=-1)) + 1
    sizes = np.bincount(label[label >= 0], minlength=count)
    indptr, members = np.zeros(len(reach) + 1, dtype=np.int64), []
    for candidate in range(len(reach)):
        mine = label[reach.cells_of(candidate)]
        mine = mine[mine >= 0]
        if count <= 4 * len(mine):
            times = np.bincount(mine, minlength=count)
            own = np.flatnonzero(times)
            times = times[own]
        else:
            own, times = np.unique(mine, return_counts=True)
        if not np.array_equal(times, sizes[own]):
            return None
        members.append(own)
        indptr[candidate + 1] = indptr[candidate] + len(own)
    rows = np.concatenate(members) if members else np.zeros(0, dtype=np.int64)
    return reach_of_matrix(sp.csc_matrix((np.ones(len(rows)), rows, indptr), shape=(count, len(reach))))


def _renumbered(problem: Problem, reach: Reach, number: NDArray[np.int64]) -> Problem:
    """The problem over merged cells: weights of cells with the same new number added."""
    kept = number >= 0
    weight = np.asarray(np.bincount(number[kept], problem.weight[kept], reach.cells), dtype=np.float64)
    floors = tuple(_renumbered_floor(floor, number) for floor in problem.floors)
    return replace(problem, reach=reach, weight=weight, floors=floors)


def _renumbered_floor(floor: Floor, number: NDArray[Any]) -> Floor:
    own = number[floor.cells]
    cells, at = np.unique(own[own >= 0], return_inverse=True)
    weights = np.asarray(np.bincount(at, floor.weights[own >= 0], len(cells)), dtype=np.float64)
    return replace(floor, cells=cells, weights=weights)

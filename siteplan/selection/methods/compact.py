"""A problem over fewer cells: what no candidate serves or nobody counts left out, alike neighbours as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from siteplan.selection.methods.merging_cells import merge_cells
from siteplan.selection.model import Problem

FEW_CELLS = 20_000
"""Problems of so few cells are left as they are."""


def compacted(problem: Problem) -> Problem:
    """The same problem over merged cells; every choice has the same value up to rounding, and the same limits hold.

    Examples
    --------
    >>> from siteplan.selection.model import Reach
    >>> from siteplan.selection.model.problem import cover_problem
    >>> reach = Reach(50_000, np.array([0, 1]), np.array([10], np.int32), np.array([30_010], np.int32))
    >>> smaller = compacted(cover_problem(reach, np.ones(50_000)))
    >>> smaller.reach.cells, smaller.weight.tolist()
    (1, [30000.0])
    """
    if problem.reach.cells <= FEW_CELLS:
        return problem
    keep = None
    if problem.floors:
        keep = np.zeros(problem.reach.cells, dtype=bool)
        for floor in problem.floors:
            keep[floor.cells] = True
    reach, weight, cell_of = merge_cells(problem.reach, problem.weight, keep, everywhere=False)
    floors = []
    for floor in problem.floors:
        cells = cell_of[floor.cells]
        known = cells >= 0
        merged, number = np.unique(cells[known], return_inverse=True)
        total = np.bincount(number, floor.weights[known], len(merged)).astype(np.float64)
        floors.append(replace(floor, cells=merged.astype(np.int64), weights=total))
    return replace(problem, reach=reach, weight=weight, floors=tuple(floors))

"""Recounting what the chosen sites serve, from their reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siteplan.verify._problem import Case


def running(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight up to each level, shape (levels + 1, cells): row l is what a cell counts that is served at l levels.

    >>> running(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[0.0, 0.0], [1.0, 2.0], [4.0, 6.0]]
    """
    return np.vstack([np.zeros((1, weight.shape[1])), np.cumsum(weight, axis=0)])


def cells_of(case: Case, candidate: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Cells that a candidate serves, and at how many levels."""
    papers = case.papers
    part = slice(int(papers.indptr[candidate]), int(papers.indptr[candidate + 1]))
    return papers.indices[part], case.levels_of(candidate, candidate + 1)


def attained(case: Case, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Levels at which each cell is served by the best of some candidates, and by the second best."""
    best = np.zeros(case.papers.cells, dtype=np.int64)
    second = np.zeros_like(best)
    for number in numbers:
        cells, levels = cells_of(case, int(number))
        second[cells] = np.maximum(second[cells], np.minimum(best[cells], levels))
        best[cells] = np.maximum(best[cells], levels)
    return best, second


def _counted(case: Case) -> NDArray[np.float64]:
    """What a cell counts that is served at so many levels; where only the cost is the aim, its whole weight."""
    if case.weight.any():
        return running(case.weight)
    return np.vstack([np.zeros(case.papers.cells), *[case.papers.weight] * len(case.weight)])


def served_weight(case: Case, numbers: NDArray[np.int64]) -> float:
    """Weight that some candidates serve, each cell by the best of them, beyond what was there already."""
    best, _ = attained(case, numbers)
    return float(_counted(case)[best, np.arange(case.papers.cells)].sum())


def value_of(case: Case) -> float:
    """The value of the chosen sites: what they serve, by stage and with second servers, less their prices."""
    cells, counted = np.arange(case.papers.cells), running(case.weight)
    value = float(case.bonus[case.papers.chosen].sum())
    for stage, worth in enumerate(case.worths):
        best, second = attained(case, np.flatnonzero((case.stage >= 0) & (case.stage <= stage)))
        served = counted[best, cells].sum() + case.backup * counted[second, cells].sum()
        value += worth * float(served)
    return value


def gains(case: Case) -> dict[str, float]:
    """Weight that each chosen site newly serves, by its id, in the order of rank."""
    table, counted, found = case.papers.candidates, _counted(case), {}
    best = np.zeros(case.papers.cells, dtype=np.int64)
    for number in table.loc[table["rank_no"] > 0, "rank_no"].sort_values().index:
        cells, levels = cells_of(case, int(number))
        better = np.maximum(best[cells], levels)
        found[str(table["site_id"].iloc[number])] = float((counted[better, cells] - counted[best[cells], cells]).sum())
        best[cells] = better
    return found

"""Counting on a problem, plainly: the value of a choice, and the limits it breaks; every answer is held to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.model.problem import Problem, Row

TOLERANCE = 1e-7
"""Relative tolerance of limits: sums of amounts are float64."""


@dataclass(frozen=True)
class Breach:
    """A limit that a choice breaks: which, by how much, and what the choice has (in the limit's unit)."""

    name: str
    zh: str
    has: float
    least: float
    most: float


def service(problem: Problem, chosen: NDArray[Any]) -> float:
    """Weight served by the chosen candidates, second servers with their share."""
    count = problem.reach.served(chosen)
    served = float(problem.weight[count >= 1].sum())
    return served + (problem.backup * float(problem.weight[count >= 2].sum()) if problem.backup else 0.0)


def value_of(problem: Problem, chosen: NDArray[Any], stage: NDArray[Any] | None = None) -> float:
    """The value of a choice, see :class:`Problem`.

    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> problem = cover_problem(reach_of_matrix(sp.csc_matrix(np.array([[1, 1], [1, 0]]))), [3.0, 2.0], backup=0.5)
    >>> value_of(problem, np.array([0, 1]))
    6.5
    """
    numbers = np.asarray(chosen, dtype=np.int64)
    own = float(problem.bonus[numbers].sum())
    if not problem.stages or stage is None:
        return own + service(problem, numbers)
    return own + sum(year.worth * service(problem, numbers[np.asarray(stage) <= number])
                     for number, year in enumerate(problem.stages))


def breaches(problem: Problem, chosen: NDArray[Any], stage: NDArray[Any] | None = None) -> list[Breach]:
    """Every limit that a choice breaks; empty for a plan."""
    numbers = np.asarray(chosen, dtype=np.int64)
    when = np.zeros(len(numbers), dtype=np.int64) if stage is None else np.asarray(stage, dtype=np.int64)
    taken = np.zeros(len(problem), dtype=bool)
    taken[numbers] = True
    found = [_breach(row, taken) for row in problem.rows]
    for number, year in enumerate(problem.stages):
        for rows, mask in ((year.on_air, when <= number), (year.new, when == number)):
            part = np.zeros(len(problem), dtype=bool)
            part[numbers[mask]] = True
            found += [_breach(row, part) for row in rows]
    found += _fixed_breaches(problem, taken, numbers, when) + _pair_breaches(problem, taken, numbers)
    return [entry for entry in [*found, *_floor_breaches(problem, numbers)] if entry is not None]


def _breach(row: Row, taken: NDArray[np.bool_]) -> Breach | None:
    has = row.already + float(row.amounts[taken[row.candidates]].sum())
    scale = TOLERANCE * max(1.0, abs(has), *(abs(side) for side in (row.least, row.most) if np.isfinite(side)))
    if row.least - scale <= has <= row.most + scale:
        return None
    return Breach(row.name, row.zh, has, row.least, row.most)


def _fixed_breaches(problem: Problem, taken: NDArray[np.bool_], numbers: NDArray[np.int64],
                    when: NDArray[np.int64]) -> list[Breach | None]:
    lost, bad = int((problem.locked & ~taken).sum()), int((problem.barred & taken).sum())
    found: list[Breach | None] = []
    if lost:
        found.append(Breach("locked", "必选站址未全部入选", -lost, 0.0, 0.0))
    if bad:
        found.append(Breach("barred", "入选了不可用的站址", bad, 0.0, 0.0))
    if problem.stages and len(numbers):
        fixed = problem.built_in[numbers]
        wrong = int(((fixed >= 0) & (fixed != when)).sum())
        if wrong:
            found.append(Breach("built_in", "建设年度与决定不一致", wrong, 0.0, 0.0))
    return found


def _pair_breaches(problem: Problem, taken: NDArray[np.bool_], numbers: NDArray[np.int64]) -> list[Breach | None]:
    found: list[Breach | None] = []
    if len(problem.near):
        both = int((taken[problem.near[:, 0]] & taken[problem.near[:, 1]]).sum())
        if both:
            found.append(Breach("near", "站间距不足", both, 0.0, 0.0))
    groups = problem.group[numbers]
    groups = groups[groups >= 0]
    twice = len(groups) - len(np.unique(groups))
    if twice:
        found.append(Breach("group", "同一场所选了两处", twice, 0.0, 0.0))
    return found


def _floor_breaches(problem: Problem, numbers: NDArray[np.int64]) -> list[Breach | None]:
    if not problem.floors:
        return []
    served = problem.reach.served(numbers) > 0
    has = [float(floor.weights[served[floor.cells]].sum()) for floor in problem.floors]
    met = [value >= floor.least - TOLERANCE * max(1.0, abs(floor.least))
           for value, floor in zip(has, problem.floors, strict=True)]
    found: list[Breach | None] = [
        Breach(floor.name, floor.zh, value, floor.least, np.inf)
        for floor, value, good in zip(problem.floors, has, met, strict=True) if floor.required and not good]
    for wish in problem.wanted:
        passing = sum(met[number] for number in wish.floors)
        if passing < wish.least:
            found.append(Breach(wish.name, wish.zh, float(passing), float(wish.least), np.inf))
    return found

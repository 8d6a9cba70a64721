"""The limits of a problem as a small integer programme in which each limit can be held, dropped or stretched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.selection.methods.signatures import merge_signatures
from siteplan.selection.model import Problem, Reach, Row
from siteplan.selection.model.count import TOLERANCE, breaches

MOST_ENTRIES = 200_000
"""Entries (merged cells times candidates) above which floors, spacing and groups are left out of the programme."""
_UNMERGED = 20_000_000
MOST_SECONDS = 60.0
"""Wall time of all solves together where an effort tells none, s."""
_TOLERANCE = 1e-8
_WORDS = {"locked": "必选站址", "barred": "不可用站址", "near": "站间距", "group": "同一场所至多一处", "built_in": "指定的建设年度"}


@dataclass(frozen=True, eq=False)
class Limit:
    """One limit that can be held, dropped or stretched.

    ``kind``: row, floor, wanted, locked, barred, near, group or built_in; ``stage``: of a yearly row, else -1;
    ``part``: rows, on_air or new, of a row; ``index``: place in its tuple; ``slack``: columns that stretch it;
    ``stretch``: what one unit of each counts as a relative relaxation.
    """

    name: str
    zh: str
    kind: str
    index: int = 0
    part: str = "rows"
    stage: int = -1
    slack: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    stretch: float = 1.0


@dataclass(frozen=True, eq=False)
class Found:
    """What a solve says: ``yes`` (with a choice), ``no`` (proved) or ``unknown``; ``best``: the objective is proved."""

    says: str
    chosen: NDArray[np.int64]
    stage: NDArray[np.int32]
    best: bool = False


_NOBODY = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))


def rows_of(problem: Problem, limit: Limit) -> tuple[Row, ...]:
    """The tuple of rows that a limit of kind row stands in."""
    if limit.part == "rows":
        return problem.rows
    stage = problem.stages[limit.stage]
    return stage.on_air if limit.part == "on_air" else stage.new


def limits_of(problem: Problem) -> list[Limit]:
    """Every limit of a problem with its own name; yearly ones carry their year (``new_sites@2026``)."""
    found = [Limit(row.name, row.zh or row.name, "row", at) for at, row in enumerate(problem.rows)]
    for number, stage in enumerate(problem.stages):
        for part, rows in (("on_air", stage.on_air), ("new", stage.new)):
            found += [Limit(f"{row.name}@{stage.year}", row.zh or f"{stage.year}年{row.name}", "row", at, part, number)
                      for at, row in enumerate(rows)]
    found += [Limit(floor.name, floor.zh or floor.name, "floor", at)
              for at, floor in enumerate(problem.floors) if floor.required]
    found += [Limit(wish.name, wish.zh or wish.name, "wanted", at) for at, wish in enumerate(problem.wanted)]
    there = {"locked": problem.locked.any(), "barred": problem.barred.any(), "near": len(problem.near) > 0,
             "group": bool((problem.group >= 0).any()),
             "built_in": bool(problem.stages) and bool((problem.built_in >= 0).any())}
    found += [Limit(name, _WORDS[name], name) for name, is_there in there.items() if is_there]
    seen: dict[str, int] = {}
    for at, limit in enumerate(found):
        seen[limit.name] = seen.get(limit.name, 0) + 1
        if seen[limit.name] > 1:
            found[at] = replace(limit, name=f"{limit.name}#{seen[limit.name]}")
    return found


def floor_entries(problem: Problem) -> int:
    """How many pairs of a cell of a floor and a candidate that serves it there are."""
    if not problem.floors:
        return 0
    mask = np.zeros(problem.reach.cells, dtype=np.int64)
    for floor in problem.floors:
        mask[floor.cells] = 1
    return int(problem.reach.sums(mask).sum())


def merged_floors(problem: Problem) -> Problem | None:
    """The problem over merged cells of its floors; None where that is too much for an integer programme."""
    if floor_entries(problem) > _UNMERGED:
        return None
    if not problem.floors:
        nothing = Reach(0, np.zeros(len(problem) + 1, dtype=np.int64), *(np.zeros(0, dtype=np.int32) for _ in range(2)))
        merged = replace(problem, reach=nothing, weight=np.zeros(0))
    else:
        merged, _ = merge_signatures(replace(problem, weight=np.zeros(problem.reach.cells)))
    size = int(merged.reach.counts.sum()) + len(problem.near)
    return merged if size <= MOST_ENTRIES else None


def without_cells(problem: Problem) -> Problem:
    """The problem without floors, wishes, spacing and groups: what it cannot fulfil, the whole cannot either."""
    nothing = Reach(0, np.zeros(len(problem) + 1, dtype=np.int64), *(np.zeros(0, dtype=np.int32) for _ in range(2)))
    return replace(problem, reach=nothing, weight=np.zeros(0), floors=(), wanted=(),
                   near=np.zeros((0, 2), dtype=np.int32), group=np.full(len(problem), -1, dtype=np.int32))


def classes_of(problem: Problem) -> NDArray[np.int64]:
    """Class of each candidate: those of a class are alike in every limit, so that their number alone matters."""
    count = len(problem)
    label = np.stack([problem.locked, problem.barred, problem.built_in], axis=1).astype(np.int64)
    number: NDArray[np.int64] = np.unique(label, axis=0, return_inverse=True)[1].ravel() if count else label[:, 0]
    everything = [*problem.rows, *(row for stage in problem.stages for row in (*stage.on_air, *stage.new))]
    for row in everything:
        pair = np.column_stack([number[row.candidates].astype(np.float64), row.amounts])
        fresh = np.unique(pair, axis=0, return_inverse=True)[1].ravel()
        number = number.copy()
        number[row.candidates] = int(number.max(initial=0)) + 1 + fresh
    single = (problem.reach.counts > 0) | (problem.group >= 0)
    single[problem.near.ravel()] = True
    number = number.copy()
    number[single] = int(number.max(initial=0)) + 1 + np.arange(int(single.sum()))
    _, first, back = np.unique(number, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(rank[back.ravel()])


class Programme:
    """The integer programme of a (merged) problem: ``Programme(problem).ask(held)`` tells whether a choice exists.

    Parameters
    ----------
    problem : Problem
        What is modelled, see :func:`merged_floors`, :func:`without_cells`.
    whole : Problem
        What a choice is recounted on.
    seed : int
    seconds : float, optional
        Greatest wall time of all solves together; 60 by default.
    """

    def __init__(self, problem: Problem, whole: Problem, seed: int = 0, seconds: float | None = None) -> None:
        self.problem, self.whole = problem, whole
        self.patience = np.inf  # greatest wall time of a single solve, s
        self._end = time.monotonic() + (MOST_SECONDS if seconds is None else seconds)
        self.klass = classes_of(problem)
        self.size = np.bincount(self.klass) if len(problem) else np.zeros(0, dtype=np.int64)
        self.member = np.unique(self.klass, return_index=True)[1]
        self.years = max(1, len(problem.stages))
        self._upper: list[NDArray[Any]] = []
        self._whole_number: list[NDArray[Any]] = []
        self._columns = 0
        self._entries: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self._least: list[NDArray[Any]] = []
        self._most: list[NDArray[Any]] = []
        self._rows = 0
        self.cut = False
        self.limits = self._build()
        self._highs = self._passed(seed)

    def ask(self, held: Iterable[Limit], stretched: Iterable[Limit] = (), favour: NDArray[Any] | None = None,
            at: Limit | None = None) -> Found:
        """A choice within the limits ``held``, with the least stretch of ``stretched``; all others are dropped.

        ``favour``: what each candidate (the same for all of a class) adds to an objective to be maximised instead, when
        it is counted by the row ``at``.
        """
        cost, upper = np.zeros(self._columns), np.concatenate(self._upper)
        for limit in held:
            upper[limit.slack] = 0.0
        stretched = list(stretched)
        for limit in stretched:
            cost[limit.slack] = limit.stretch if len(stretched) > 1 else 1.0
        if favour is not None and at is not None:
            year = self.years - 1 if at.part == "rows" else at.stage
            cost[self._y(year)] = -np.asarray(favour)[self.member]
            if at.part == "new" and year > 0:
                cost[self._y(year - 1)] = np.asarray(favour)[self.member]
        return self._run(cost, upper)

    def _run(self, cost: NDArray[np.float64], upper: NDArray[np.float64]) -> Found:
        import highspy

        left = min(self._end - time.monotonic(), self.patience)
        if left <= 0:
            self.cut = True
            return Found("unknown", *_NOBODY)
        numbers = np.arange(self._columns, dtype=np.int32)
        solver = self._highs
        solver.clearSolver()
        solver.setOptionValue("time_limit", solver.getRunTime() + left)  # its clock runs on from solve to solve
        solver.changeColsCost(self._columns, numbers, cost)
        solver.changeColsBounds(self._columns, numbers, np.zeros(self._columns), upper)
        solver.run()
        status, info = solver.getModelStatus(), solver.getInfo()
        if status == highspy.HighsModelStatus.kInfeasible:
            return Found("no", *_NOBODY)
        if status != highspy.HighsModelStatus.kOptimal:
            self.cut |= left < self.patience
        if info.primal_solution_status != 2:  # 2 = feasible
            return Found("unknown", *_NOBODY)
        chosen, stage = self._choice(np.asarray(solver.getSolution().col_value))
        return Found("yes", chosen, stage, status == highspy.HighsModelStatus.kOptimal)

    def holds(self, problem: Problem, found: Found) -> bool:
        """Whether a choice breaks no limit of a problem, recounted from its data."""
        return found.says == "yes" and not breaches(problem, found.chosen, found.stage if problem.stages else None)

    def _choice(self, value: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Candidates and stages of a solution: the first of each class, the earliest stage first."""
        order = np.argsort(self.klass, kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(self.size) - self.size, self.size)
        stage = np.full(len(order), -1, dtype=np.int32)
        for year in range(self.years - 1, -1, -1):
            stage[rank < np.rint(value[self._y(year)]).astype(np.int64)[self.klass]] = year
        chosen = np.flatnonzero(stage >= 0)
        return chosen, stage[chosen]

    def _y(self, year: int) -> NDArray[np.int64]:
        return np.arange(len(self.size)) + year * len(self.size)

    def _add_columns(self, upper: NDArray[Any], integer: bool = False) -> NDArray[np.int64]:
        numbers = self._columns + np.arange(len(upper))
        self._upper.append(np.asarray(upper, dtype=np.float64))
        self._whole_number.append(np.full(len(upper), integer))
        self._columns += len(upper)
        return numbers

    def _slack(self, count: int) -> NDArray[np.int64]:
        return self._add_columns(np.full(count, np.inf))

    def _add_rows(self, parts: list[tuple[Any, Any, Any]], least: Any, most: Any, count: int) -> None:
        """``count`` rows; parts: row in this block, column, value."""
        for row, column, value in parts:
            wide = np.broadcast_arrays(np.asarray(row), np.asarray(column), np.asarray(value, dtype=np.float64))
            self._entries.append((wide[0].ravel() + self._rows, wide[1].ravel(), wide[2].ravel()))
        self._least.append(np.broadcast_to(np.asarray(least, dtype=np.float64), count))
        self._most.append(np.broadcast_to(np.asarray(most, dtype=np.float64), count))
        self._rows += count

    def _build(self) -> list[Limit]:
        for _ in range(self.years):
            self._add_columns(self.size, integer=True)
        kinds = np.arange(len(self.size))
        for year in range(1, self.years):  # what stands stays
            self._add_rows([(kinds, self._y(year), 1.0), (kinds, self._y(year - 1), -1.0)], 0.0, np.inf, len(kinds))
        served = self._add_served() if self.problem.floors else np.zeros(0, dtype=np.int64)
        builders: dict[str, Callable[[Limit], tuple[NDArray[np.int64], float]]] = {
            "row": self._add_row, "floor": lambda limit: self._add_floor(limit, served),
            "wanted": lambda limit: self._add_wanted(limit, served), "locked": self._add_locked,
            "barred": self._add_barred, "near": self._add_near, "group": self._add_group, "built_in": self._add_built}
        found = []
        for limit in limits_of(self.problem):
            slack, stretch = builders[limit.kind](limit)
            found.append(replace(limit, slack=slack, stretch=stretch))
        return found

    def _add_served(self) -> NDArray[np.int64]:
        """Share of each merged cell that counts as served: not more than the candidates that serve it."""
        matrix = sp.coo_matrix(self.problem.reach.matrix())
        served = self._add_columns(np.ones(self.problem.reach.cells))
        cells = np.arange(len(served))
        self._add_rows([(matrix.row, self._y(self.years - 1)[self.klass[matrix.col]], -1.0), (cells, served, 1.0)],
                       -np.inf, 0.0, len(served))
        return served

    def _add_row(self, limit: Limit) -> tuple[NDArray[np.int64], float]:
        row = rows_of(self.problem, limit)[limit.index]
        whole = bool((row.amounts == np.rint(row.amounts)).all()) and float(np.abs(row.amounts).max(initial=0)) <= 1000
        scale = 1.0 if whole else max(float(np.abs(row.amounts).max()), 1e-300)
        first = np.isin(row.candidates, self.member)
        kinds, amounts = self.klass[row.candidates[first]], row.amounts[first] / scale
        year = self.years - 1 if limit.part == "rows" else limit.stage
        sides = [abs(side) for side in (row.least, row.most) if np.isfinite(side)]
        room = _room(*sides)
        least, most = (row.least - row.already - room) / scale, (row.most - row.already + room) / scale
        if whole:
            least, most = np.ceil(least), np.floor(most)
        parts: list[tuple[Any, Any, Any]] = [(0, self._y(year)[kinds], amounts)]
        if limit.part == "new" and year > 0:
            parts.append((0, self._y(year - 1)[kinds], -amounts))
        slack = self._slack(2)
        for side, sign, low, high in ((0, 1.0, least, np.inf), (1, -1.0, -np.inf, most)):
            if np.isfinite(low) or np.isfinite(high):
                self._add_rows([*parts, (0, slack[side], sign)], low, high, 1)
        common = max(sides, default=0.0) or self._usual_number() * float(np.abs(row.amounts).min(initial=1.0))
        return slack, scale / max(1.0, common)

    def _usual_number(self) -> float:
        """About how many sites are chosen: what a limit on a share, whose sides are 0, is relative to."""
        everyone = [row.most for row in self.problem.rows if len(row.candidates) == len(self.klass)
                    and np.isfinite(row.most) and (row.amounts == 1).all()]
        return min(everyone, default=float(len(self.klass)))

    def _add_floor(self, limit: Limit, served: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
        floor, slack = self.problem.floors[limit.index], self._slack(1)
        scale = max(1.0, abs(floor.least))
        self._add_rows([(0, served[floor.cells], floor.weights / scale), (0, slack, 1.0)],
                       (floor.least - _room(abs(floor.least))) / scale, np.inf, 1)
        return slack, 1.0

    def _add_wanted(self, limit: Limit, served: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
        wish, slack = self.problem.wanted[limit.index], self._slack(1)
        passing = self._add_columns(np.ones(len(wish.floors)), integer=True)
        for column, number in zip(passing, wish.floors, strict=True):
            floor = self.problem.floors[number]
            scale = max(1.0, abs(floor.least))
            least = max(floor.least - _room(abs(floor.least)), 0.0)
            self._add_rows([(0, served[floor.cells], floor.weights / scale), (0, column, -least / scale)],
                           0.0, np.inf, 1)
        self._add_rows([(0, passing, 1.0), (0, slack, 1.0)], wish.least, np.inf, 1)
        return slack, 1.0 / max(1, wish.least)

    def _add_locked(self, _: Limit) -> tuple[NDArray[np.int64], float]:
        kinds = np.flatnonzero(self.problem.locked[self.member])
        slack, at = self._slack(len(kinds)), np.arange(len(kinds))
        self._add_rows([(at, self._y(self.years - 1)[kinds], 1.0), (at, slack, 1.0)], self.size[kinds], np.inf,
                       len(kinds))
        return slack, 1.0

    def _add_barred(self, _: Limit) -> tuple[NDArray[np.int64], float]:
        kinds = np.flatnonzero(self.problem.barred[self.member])
        slack, at = self._slack(len(kinds)), np.arange(len(kinds))
        self._add_rows([(at, self._y(self.years - 1)[kinds], 1.0), (at, slack, -1.0)], -np.inf, 0.0, len(kinds))
        return slack, 1.0

    def _add_near(self, _: Limit) -> tuple[NDArray[np.int64], float]:
        pairs = self.klass[self.problem.near]
        slack, at, last = self._slack(len(pairs)), np.arange(len(pairs)), self._y(self.years - 1)
        self._add_rows([(at, last[pairs[:, 0]], 1.0), (at, last[pairs[:, 1]], 1.0), (at, slack, -1.0)], -np.inf, 1.0,
                       len(pairs))
        return slack, 1.0

    def _add_group(self, _: Limit) -> tuple[NDArray[np.int64], float]:
        members = np.flatnonzero(self.problem.group >= 0)
        names, at = np.unique(self.problem.group[members], return_inverse=True)
        slack = self._slack(len(names))
        self._add_rows([(at, self._y(self.years - 1)[self.klass[members]], 1.0), (np.arange(len(names)), slack, -1.0)],
                       -np.inf, 1.0, len(names))
        return slack, 1.0

    def _add_built(self, _: Limit) -> tuple[NDArray[np.int64], float]:
        """Nothing before its year, nothing new after it."""
        year, parts = self.problem.built_in[self.member], []
        for number in range(self.years):
            kinds = np.flatnonzero(year == number)
            at, last = np.arange(len(kinds)), self._y(self.years - 1)
            if number:
                parts.append(self._slack(len(kinds)))
                self._add_rows([(at, self._y(number - 1)[kinds], 1.0), (at, parts[-1], -1.0)], -np.inf, 0.0, len(kinds))
            if number < self.years - 1:
                parts.append(self._slack(len(kinds)))
                self._add_rows([(at, last[kinds], 1.0), (at, self._y(number)[kinds], -1.0), (at, parts[-1], -1.0)],
                               -np.inf, 0.0, len(kinds))
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64), 1.0

    def _passed(self, seed: int) -> Any:
        import highspy

        row, column, value = (np.concatenate([part[axis] for part in self._entries]) if self._entries
                              else np.zeros(0, dtype=np.int64 if axis < 2 else np.float64) for axis in range(3))
        matrix = sp.csr_matrix((value, (row, column)), shape=(self._rows, self._columns))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._columns, self._rows
        model.col_cost_, model.col_lower_ = np.zeros(self._columns), np.zeros(self._columns)
        model.col_upper_ = np.concatenate(self._upper)
        model.row_lower_ = np.concatenate(self._least) if self._least else np.zeros(0)
        model.row_upper_ = np.concatenate(self._most) if self._most else np.zeros(0)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
        model.a_matrix_.value_ = matrix.data
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(one)] for one in np.concatenate(self._whole_number)]
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, setting in (("output_flag", False), ("threads", 1), ("random_seed", seed), ("mip_rel_gap", 0.0),
                              ("primal_feasibility_tolerance", _TOLERANCE), ("mip_feasibility_tolerance", _TOLERANCE)):
            solver.setOptionValue(name, setting)
        solver.passModel(model)
        return solver


def _room(*sides: float) -> float:
    """Half of the tolerance that counting grants a limit."""
    return TOLERANCE * max([1.0, *sides]) / 2

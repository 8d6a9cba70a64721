"""The whole problem given to a general solver, where it is small: the exact search of a certificate repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.spatial import cKDTree

from siteplan.verify._problem import Case, Sum

MOST_ENTRIES = 300_000
"""Entries of the matrix up to which the search is repeated."""
SECONDS = 60.0
_ENDED, _OUT_OF_TIME, _INFEASIBLE = 0, 1, 2


@dataclass(frozen=True)
class Search:
    """How a search ended: ``optimal``, ``infeasible``, ``cut`` (out of time), ``too_big``; best value, bound."""

    word: str
    value: float = -np.inf
    bound: float = np.inf


class _Model:
    """Columns and rows of a mixed integer problem, gathered piece by piece."""

    def __init__(self) -> None:
        self.worth: list[NDArray[np.float64]] = []
        self.least: list[NDArray[np.float64]] = []
        self.most: list[NDArray[np.float64]] = []
        self.whole: list[NDArray[np.int64]] = []
        self.entries: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
        self.sides: list[NDArray[np.float64]] = []
        self.columns = self.rows = 0

    def add_columns(self, worth: NDArray[np.float64], least: NDArray[np.float64], most: NDArray[np.float64],
                    *, whole: bool) -> NDArray[np.int64]:
        """Numbers of new columns."""
        self.worth.append(worth)
        self.least.append(least)
        self.most.append(most)
        self.whole.append(np.full(len(worth), int(whole)))
        self.columns += len(worth)
        return np.arange(self.columns - len(worth), self.columns)

    def add_rows(self, row: NDArray[np.int64], column: NDArray[np.int64], amount: NDArray[np.float64],
                 sides: NDArray[np.float64]) -> None:
        """New rows, numbered from 0 in ``row``; ``sides``: least and most of each, shape (rows, 2)."""
        self.entries.append((row + self.rows, column, amount))
        self.sides.append(sides)
        self.rows += len(sides)

    def add_row(self, column: NDArray[np.int64], amount: NDArray[np.float64], least: float, most: float) -> None:
        """One row."""
        self.add_rows(np.zeros(len(column), dtype=np.int64), column, amount, np.array([[least, most]]))

    def solve(self, seconds: float) -> Search:
        """Search for the best, to the end or until the time is out."""
        row, column, amount = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        sides = np.concatenate(self.sides)
        matrix = sp.csr_matrix((amount, (row, column)), shape=(self.rows, self.columns))
        found = milp(-np.concatenate(self.worth), integrality=np.concatenate(self.whole),
                     bounds=Bounds(np.concatenate(self.least), np.concatenate(self.most)),
                     constraints=LinearConstraint(matrix, sides[:, 0], sides[:, 1]),
                     options={"time_limit": seconds, "mip_rel_gap": 0.0})
        if found.status == _INFEASIBLE:
            return Search("infeasible")
        bound = -found.mip_dual_bound if found.mip_dual_bound is not None else np.inf
        value = -found.fun if found.fun is not None else -np.inf
        return Search("optimal" if found.status == _ENDED else "cut", float(value), float(bound))


def entries_of(case: Case) -> int:
    """About how many entries the matrix of the search has."""
    levels = len(case.levels) * len(case.worths) * (2 if case.backup else 1)
    sums = sum(len(one.members) * len(case.worths) for one in case.sums)
    return len(case.papers.indices) * levels + sums + 2 * len(_pairs(case))


def search(case: Case, most_entries: int = MOST_ENTRIES, seconds: float = SECONDS) -> Search:
    """Search for the best plan of the certificate's problem with HiGHS, as scipy brings it."""
    if len(case.papers.indices) > most_entries or entries_of(case) > most_entries:
        return Search("too_big")
    model, table = _Model(), case.papers.candidates
    state, count, stages = table["state"].to_numpy(), len(table), len(case.worths)
    open_ = np.where(state == "barred", 0.0, 1.0)
    on_air: list[NDArray[np.int64]] = []
    for stage in range(stages):
        last = stage == stages - 1
        fixed_here = (case.fixed >= 0) & (case.fixed <= stage) if case.papers.years else np.full(count, last)
        least = np.where((state == "locked") & (fixed_here | last), 1.0, 0.0)
        most = np.where(case.fixed > stage, 0.0, open_) if case.papers.years else open_
        on_air.append(model.add_columns(case.bonus if last else np.zeros(count), np.minimum(least, most), most,
                                        whole=True))
        _add_cells(case, model, on_air[stage], stage)
    _add_growth(case, model, on_air)
    for one in case.sums:
        _add_sum(case, model, on_air, one)
    _add_exclusions(case, model, on_air[-1])
    return model.solve(seconds)


def _add_cells(case: Case, model: _Model, sites: NDArray[np.int64], stage: int) -> None:
    """Cells count when they are served: one column for each cell and level that counts, and one for a second server."""
    papers, cells = case.papers, case.papers.cells
    last = stage == len(case.worths) - 1
    weight = case.weight * case.worths[stage]
    candidate = np.repeat(np.arange(len(papers.candidates)), np.diff(papers.indptr))
    attained = case.levels_of(0, len(papers.candidates))
    for level in range(len(case.levels)):
        needed = weight[level] > 0
        if level == 0 and last:
            for members in papers.floor_cells:
                needed[members] = True
        own = np.full(cells, -1, dtype=np.int64)
        numbers = np.flatnonzero(needed)
        own[numbers] = np.arange(len(numbers))
        served = model.add_columns(weight[level][numbers], np.zeros(len(numbers)), np.ones(len(numbers)), whole=False)
        use = (attained > level) & (own[papers.indices] >= 0)
        row, column, amount = own[papers.indices[use]], sites[candidate[use]], np.full(int(use.sum()), -1.0)
        parts = [(row, column, amount), (np.arange(len(numbers)), served, np.ones(len(numbers)))]
        if case.backup:
            again = model.add_columns(case.backup * weight[level][numbers], np.zeros(len(numbers)),
                                      np.ones(len(numbers)), whole=False)
            parts.append((np.arange(len(numbers)), again, np.ones(len(numbers))))
        joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
        model.add_rows(joined[0], joined[1], joined[2], np.tile([-np.inf, 0.0], (len(numbers), 1)))
        if level == 0 and last:
            _add_floors(case, model, served, own)


def _add_floors(case: Case, model: _Model, served: NDArray[np.int64], own: NDArray[np.int64]) -> None:
    facts, papers = case.papers.facts, case.papers
    reached = model.add_columns(np.zeros(len(facts["floors"])), np.zeros(len(facts["floors"])),
                                np.ones(len(facts["floors"])), whole=True)
    for number, floor in enumerate(facts["floors"]):
        column, amount = served[own[papers.floor_cells[number]]], papers.floor_weights[number]
        least = float(floor["least"])
        if floor["required"]:
            model.add_row(column, amount, least, np.inf)
        model.add_row(np.append(column, reached[number]), np.append(amount, -max(least, 0.0)), 0.0, np.inf)
    for wish in facts["wanted"]:
        numbers = np.array(wish["floors"], dtype=np.int64)
        model.add_row(reached[numbers], np.ones(len(numbers)), float(wish["least"]), np.inf)


def _add_growth(case: Case, model: _Model, on_air: list[NDArray[np.int64]]) -> None:
    """What stands stays; what is fixed to a year and chosen at all stands from that year on."""
    count = len(case.papers.candidates)
    for stage in range(1, len(on_air)):
        row = np.arange(count)
        low = np.zeros((count, 1))
        high = np.where((case.fixed >= 0) & (stage > case.fixed), 0.0, np.inf)[:, None]
        model.add_rows(np.concatenate([row, row]), np.concatenate([on_air[stage], on_air[stage - 1]]),
                       np.repeat([1.0, -1.0], count), np.hstack([low, high]))


def _add_sum(case: Case, model: _Model, on_air: list[NDArray[np.int64]], one: Sum) -> None:
    stage = len(on_air) - 1 if one.year is None else case.papers.years.index(one.year)
    column, amount = on_air[stage][one.members], one.amounts
    if one.year is not None and one.count == "new" and stage:
        column, amount = np.append(column, on_air[stage - 1][one.members]), np.append(amount, -amount)
    model.add_row(column, amount, one.least - one.already, one.most - one.already)


def _add_exclusions(case: Case, model: _Model, sites: NDArray[np.int64]) -> None:
    """At most one of a venue, and of two sites that are too near to each other."""
    for venue in range(int(case.venue.max(initial=-1)) + 1):
        members = sites[case.venue == venue]
        model.add_row(members, np.ones(len(members)), -np.inf, 1.0)
    pairs = _pairs(case)
    if len(pairs):
        row = np.repeat(np.arange(len(pairs)), 2)
        model.add_rows(row, sites[pairs.ravel()], np.ones(2 * len(pairs)), np.tile([-np.inf, 1.0], (len(pairs), 1)))


def _pairs(case: Case) -> NDArray[np.int64]:
    """Candidates that stand too near to each other for both, shape (pairs, 2)."""
    table = case.papers.candidates
    widest = max(float(case.papers.facts["spacing_m"]), float(table["spacing_m"].max()))
    places = table[["x", "y"]].to_numpy()
    if widest <= 0 or len(places) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    pairs = cKDTree(places).query_pairs(widest, output_type="ndarray").astype(np.int64)
    apart = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
    return np.asarray(pairs[apart < case.spacing_of(pairs[:, 0], pairs[:, 1])])

"""Where a plan stands: what a further candidate would bring, and which limit it would break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.model.problem import Problem, Row

_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class CountedRow:
    """A row with what every candidate counts in it, what the plan has of it, and the stages that count."""

    row: Row
    amount: NDArray[np.float64]
    has: float
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Standing:
    """A plan on its problem, ready to be asked about changes.

    Attributes
    ----------
    problem : Problem
    chosen : ndarray of int64
        Candidates of the plan, ascending.
    stage : ndarray of int32, optional
        Stage in which each of them is built. Absent: rows of the whole plan and service at its end are all that counts.
    """

    problem: Problem
    chosen: NDArray[np.int64]
    stage: NDArray[np.int32] | None = None

    @property
    def worths(self) -> tuple[float, ...]:
        """What service at the end of each year counts; one year where there are no stages."""
        if self.stage is None or not self.problem.stages:
            return (1.0,)
        return tuple(year.worth for year in self.problem.stages)

    def moved(self, chosen: NDArray[np.int64]) -> Standing:
        """The standing of another plan without stages; what does not depend on the plan is not made anew."""
        fresh = Standing(self.problem, chosen)
        own = vars(self)
        vars(fresh).update({name: own[name] for name in ("neighbours", "amounts") if name in own})
        return fresh

    @cached_property
    def when(self) -> NDArray[np.int64]:
        """Stage in which each candidate is built, shape (candidates,): -1 = not chosen, 0 without stages."""
        found = np.full(len(self.problem), -1, dtype=np.int64)
        found[self.chosen] = 0 if self.stage is None or not self.problem.stages else self.stage
        return found

    @cached_property
    def servers_by_year(self) -> tuple[NDArray[np.int32], ...]:
        """Number of sites that serve each cell at the end of each year."""
        if len(self.worths) == 1:
            return (self.servers,)
        own = self.when[self.chosen]
        return tuple(self.problem.reach.served(self.chosen[own <= year]) for year in range(len(self.worths)))

    @cached_property
    def joins(self) -> tuple[NDArray[np.float64], ...]:
        """Worth that every candidate would add if it came in at each stage, with its bonus, over all years after."""
        problem, found = self.problem, []
        worth = np.zeros(problem.reach.cells)
        for share, count in zip(self.worths[::-1], self.servers_by_year[::-1], strict=True):
            part = np.where(count == 0, 1.0, np.where(count == 1, problem.backup, 0.0))
            worth = worth + share * problem.weight * part
            found.append(problem.reach.sums(worth) + problem.bonus)
        return tuple(found[::-1])

    @cached_property
    def counted(self) -> tuple[CountedRow, ...]:
        """Every row of the plan and of its years."""
        rows = [(row, 0, len(self.worths) - 1) for row in self.problem.rows]
        for number, year in enumerate(self.problem.stages if len(self.worths) == len(self.problem.stages) else ()):
            rows += [(row, 0, number) for row in year.on_air] + [(row, number, number) for row in year.new]
        found = []
        for row, first, last in rows:
            amount = np.zeros(len(self.problem))
            amount[row.candidates] = row.amounts
            mine = (self.when >= first) & (self.when <= last)
            found.append(CountedRow(row, amount, row.already + float(amount[mine].sum()), first, last))
        return tuple(found)

    @cached_property
    def taken(self) -> NDArray[np.bool_]:
        """Which candidates are chosen, shape (candidates,)."""
        found = np.zeros(len(self.problem), dtype=bool)
        found[self.chosen] = True
        return found

    @cached_property
    def servers(self) -> NDArray[np.int32]:
        """Number of chosen candidates that serve each cell, shape (cells,)."""
        return self.problem.reach.served(self.chosen)

    @cached_property
    def gains(self) -> NDArray[np.float64]:
        """Worth that each candidate outside of the plan would add to it, its bonus included; of chosen ones NaN."""
        problem, count = self.problem, self.servers
        worth = np.where(count == 0, problem.weight, 0.0)
        if problem.backup:
            worth += np.where(count == 1, problem.backup * problem.weight, 0.0)
        return np.where(self.taken, np.nan, problem.reach.sums(worth) + problem.bonus)

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """Worth that the plan loses without each chosen candidate, its bonus included, in the order of ``chosen``."""
        problem, count = self.problem, self.servers
        worth = np.where(count == 1, problem.weight, 0.0)
        if problem.backup:
            worth += np.where(count == 1, 0.0, np.where(count == 2, problem.backup * problem.weight, 0.0))
        return np.asarray(problem.reach.pick(self.chosen).sums(worth) + problem.bonus[self.chosen])

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Candidates too near to each candidate: ``members[indptr[k]:indptr[k + 1]]``."""
        both = np.concatenate([self.problem.near, self.problem.near[:, ::-1]]).astype(np.int64)
        order = np.lexsort((both[:, 1], both[:, 0]))
        count = np.bincount(both[:, 0], minlength=len(self.problem))
        return np.concatenate([[0], np.cumsum(count)]).astype(np.int64), both[order, 1].astype(np.int32)

    @cached_property
    def amounts(self) -> tuple[NDArray[np.float64], ...]:
        """Of each row what every candidate counts, shape (candidates,)."""
        found = []
        for row in self.problem.rows:
            amount = np.zeros(len(self.problem))
            amount[row.candidates] = row.amounts
            found.append(amount)
        return tuple(found)

    @cached_property
    def sums(self) -> tuple[float, ...]:
        """What the plan has of each row, what stands already included."""
        return tuple(row.already + float(amount[self.chosen].sum())
                     for row, amount in zip(self.problem.rows, self.amounts, strict=True))

    def near_to(self, candidate: int) -> NDArray[np.int32]:
        """Chosen candidates that this one is too near to."""
        indptr, members = self.neighbours
        found = members[indptr[candidate]:indptr[candidate + 1]]
        return np.asarray(found[self.taken[found]])

    def same_venue(self, candidate: int) -> int:
        """The chosen candidate of the same group, -1 where there is none."""
        group = self.problem.group[candidate]
        if group < 0:
            return -1
        found = self.chosen[self.problem.group[self.chosen] == group]
        return int(found[0]) if len(found) else -1

    def fault(self, into: int, out: int = -1) -> tuple[str, int]:
        """Which limit breaks when a candidate comes in (and another goes): its name and the site in the way (or -1).

        ``("", -1)`` where none does. Names are ``barred``, ``group``, ``near``, and those of the rows. Floors are
        left out: a candidate that comes in never breaks one; one that goes may.
        """
        problem = self.problem
        if problem.barred[into]:
            return "barred", -1
        other = self.same_venue(into)
        if other >= 0 and other != out:
            return "group", other
        near = [int(site) for site in self.near_to(into) if site != out]
        if near:
            return "near", near[0]
        for row, amount, has in zip(problem.rows, self.amounts, self.sums, strict=True):
            after = has + amount[into] - (amount[out] if out >= 0 else 0.0)
            if bool(breaks(row, has, np.array([after]))[0]):
                return row.name, -1
        return "", -1

    def full_rows(self) -> Iterator[tuple[Row, NDArray[np.bool_]]]:
        """Rows with the candidates that would break them by coming in."""
        for row, amount, has in zip(self.problem.rows, self.amounts, self.sums, strict=True):
            room = row.most - has
            blocked = amount > room + _TOLERANCE * max(1.0, abs(has)) if np.isfinite(room) else np.zeros(
                len(self.problem), dtype=bool)
            if np.isfinite(row.least):
                blocked |= has + amount < row.least - _TOLERANCE * max(1.0, abs(row.least))
            yield row, blocked & ~self.taken


def breaks(row: Row, has: float, after: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which changes break a row that held (one that was broken before may stay so).

    >>> breaks(Row("most", np.zeros(1, dtype=np.int32), np.ones(1), most=2), 1.0, np.array([2.0, 3.0])).tolist()
    [False, True]
    """
    scale = _TOLERANCE * np.maximum(max(1.0, abs(has)), np.abs(after))
    return np.asarray((after > max(row.most, has) + scale) | (after < min(row.least, has) - scale))


def blocked_by(standing: Standing) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Why each candidate outside of the plan could not come in besides: name of the limit and the site in the way.

    Returns
    -------
    names : ndarray of object, shape (candidates,)
        ``""`` where no limit stands in the way, ``chosen`` for those of the plan.
    others : ndarray of int64, shape (candidates,)
        The chosen candidate that is too near or of the same venue, else -1.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.ones(3), 1)
    >>> blocked_by(Standing(problem, np.array([1])))[0].tolist()
    ['max_sites', 'chosen', 'max_sites']
    """
    problem, taken = standing.problem, standing.taken
    names = np.full(len(problem), "", dtype=object)
    others = np.full(len(problem), -1, dtype=np.int64)
    for row, blocked in standing.full_rows():
        names[blocked & (names == "")] = row.name
    indptr, members = standing.neighbours
    for site in standing.chosen[::-1]:
        near = members[indptr[site]:indptr[site + 1]]
        names[near], others[near] = "near", site
    grouped = {int(problem.group[site]): int(site) for site in standing.chosen if problem.group[site] >= 0}
    for candidate in np.flatnonzero(np.isin(problem.group, list(grouped)) & ~taken):
        names[candidate], others[candidate] = "group", grouped[int(problem.group[candidate])]
    names[problem.barred], others[problem.barred] = "barred", -1
    names[taken], others[taken] = "chosen", -1
    return names, others


def blocked_in_years(problem: Problem, chosen: NDArray[np.int64], stage: NDArray[np.int32]) -> NDArray[Any]:
    """Name of the yearly limit that keeps each candidate out of every year; "" where some year has room.

    Parameters
    ----------
    problem : Problem
    chosen, stage : ndarray
        The plan, and the stage in which each site is built.
    """
    names = np.full(len(problem), "", dtype=object)
    open_ = np.zeros(len(problem), dtype=bool)
    for number in range(len(problem.stages)):
        blocked = np.zeros(len(problem), dtype=bool)
        later = [(row, stage <= at) for at, year in enumerate(problem.stages) if at >= number for row in year.on_air]
        for row, counted in [*((row, stage == number) for row in problem.stages[number].new), *later]:
            part = Problem(problem.reach, problem.weight, problem.bonus, problem.locked, problem.barred, rows=(row,),
                           group=problem.group)
            _, full = next(Standing(part, np.sort(chosen[counted])).full_rows())
            names[full & ~blocked & ~open_] = row.name
            blocked |= full
        fixed = (problem.built_in >= 0) & (problem.built_in != number)
        open_ |= ~blocked & ~fixed
    names[open_] = ""
    return names

"""Moving chosen sites between years: to keep yearly limits, and for more service earlier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.selection.methods.compact import compacted
from siteplan.selection.model import Problem, Row
from siteplan.selection.model.count import TOLERANCE

PASSES = 6
"""Passes over all years; each ends sooner when nothing is gained."""
MENDING_PASSES = 40
_SAME, _ANY, _BESIDE = 4, 4, 4
_LEAST_GAIN = 1e-12


@dataclass(eq=False)
class _Years:
    """Chosen sites, their years, and the yearly limits over them; the work sheet of both searches.

    Attributes
    ----------
    stage : ndarray of int32, shape (sites,)
    free : ndarray of bool, shape (sites,)
        Their year is not decided.
    amounts : csc_matrix, shape (rows, sites)
        Every row of every year.
    counts : ndarray of bool, shape (stages, rows)
        Whether a site of that stage counts in the row.
    sums, least, most : ndarray of float64, shape (rows,)
        What the rows have, and their sides with the tolerance of counting.
    """

    stage: NDArray[np.int32]
    free: NDArray[np.bool_]
    amounts: sp.csc_matrix
    counts: NDArray[np.bool_]
    sums: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]

    def terms(self, site: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Rows of a site and what it counts there."""
        part = slice(int(self.amounts.indptr[site]), int(self.amounts.indptr[site + 1]))
        return self.amounts.indices[part], self.amounts.data[part]

    def shifted(self, site: int, stage: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Rows, and by how much they change, when the site goes to another stage."""
        rows, amounts = self.terms(site)
        return rows, amounts * (self.counts[stage, rows].astype(float) - self.counts[self.stage[site], rows])

    def missing(self, rows: NDArray[Any], sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much sums break rows, relative to their sides."""
        low, high = self.least[rows], self.most[rows]
        scale = np.maximum(1.0, np.where(np.isfinite(low), np.abs(low), np.where(np.isfinite(high), np.abs(high), 0.0)))
        return np.asarray((np.maximum(low - sums, 0.0) + np.maximum(sums - high, 0.0)) / scale)

    def holds(self, rows: NDArray[Any], change: NDArray[np.float64]) -> bool:
        """Whether rows hold after a change."""
        sums = self.sums[rows] + change
        return bool((sums >= self.least[rows]).all() and (sums <= self.most[rows]).all())

    def move(self, site: int, stage: int) -> None:
        rows, change = self.shifted(site, stage)
        self.sums[rows] += change
        self.stage[site] = stage


def _years_of(problem: Problem, chosen: NDArray[Any], stage: NDArray[Any]) -> _Years:
    place = np.full(len(problem), -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    rows: list[Row] = []
    counts: list[NDArray[np.bool_]] = []
    numbers = np.arange(len(problem.stages))
    for number, year in enumerate(problem.stages):
        rows += [*year.on_air, *year.new]
        counts += [numbers <= number] * len(year.on_air) + [numbers == number] * len(year.new)
    own = [place[row.candidates] for row in rows]
    columns = np.concatenate([found[found >= 0] for found in own]) if rows else np.zeros(0, dtype=np.int64)
    data = np.concatenate([np.zeros(0), *(row.amounts[found >= 0] for row, found in zip(rows, own, strict=True))])
    at = np.repeat(np.arange(len(rows)), [int((found >= 0).sum()) for found in own])
    amounts = sp.csc_matrix((data, (at, columns)), shape=(len(rows), len(chosen)))
    table = np.array(counts, dtype=bool).reshape(len(rows), len(problem.stages)).T
    sums = np.array([row.already for row in rows], dtype=float)
    np.add.at(sums, at, data * table[np.asarray(stage)[columns], at])
    room = TOLERANCE / 2 * np.array([max([1.0, *(abs(side) for side in (row.least, row.most) if np.isfinite(side))])
                                     for row in rows])
    least, most = (np.array([getattr(row, side) for row in rows], dtype=float) for side in ("least", "most"))
    return _Years(np.array(stage, dtype=np.int32), problem.built_in[chosen] < 0, amounts, table, sums, least - room,
                  most + room)


def mend_years(problem: Problem, chosen: NDArray[Any], stage: NDArray[Any]) -> NDArray[np.int32]:
    """Years of the chosen sites after moves that break less of the yearly limits, as long as there are such moves.

    Each move goes where the broken amounts fall most, ties to the earlier year and the lower number.
    """
    years = _years_of(problem, chosen, stage)
    fixed = ~years.free
    years.stage[fixed] = problem.built_in[chosen][fixed]
    years = _years_of(problem, chosen, years.stage)
    everything = np.arange(len(years.sums))
    table = years.amounts.tocoo()
    for _ in range(MENDING_PASSES):
        if not years.missing(everything, years.sums).any():
            break
        moves = []
        now = years.missing(table.row, years.sums[table.row])
        for target in range(len(problem.stages)):
            change = table.data * (years.counts[target, table.row].astype(float)
                                   - years.counts[years.stage[table.col], table.row])
            after = years.missing(table.row, years.sums[table.row] + change)
            fall = np.bincount(table.col, weights=after - now, minlength=len(chosen))
            moves += [(float(fall[site]), target, int(site))
                      for site in np.flatnonzero((fall < -_LEAST_GAIN) & years.free)]
        made = 0
        for _, target, site in sorted(moves):
            rows, change = years.shifted(site, target)
            less = (years.missing(rows, years.sums[rows] + change) - years.missing(rows, years.sums[rows])).sum()
            if less < -_LEAST_GAIN:
                years.move(site, target)
                made += 1
        if not made:
            break
    return years.stage


def improve_years(problem: Problem, chosen: NDArray[Any], stage: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Years of the chosen sites after moves that serve more, and how many there were.

    Between a year and the next, a site goes to the earlier one, or changes places with a site that does, as long as
    the service of the earlier year grows and every yearly limit holds.
    """
    years = _years_of(problem, chosen, stage)
    if not years.holds(np.arange(len(years.sums)), np.zeros(len(years.sums))):
        return years.stage, 0
    part = compacted(replace(problem, reach=problem.reach.pick(chosen), floors=(), wanted=()))
    matrix = part.reach.matrix()
    turned, kinds = matrix.tocsr(), _kinds(years)
    total = 0
    for _ in range(PASSES):
        made = sum(_exchange(part, (matrix, turned), years, number, kinds) for number in range(len(problem.stages) - 1)
                   if problem.stages[number].worth > 0)
        total += made
        if not made:
            break
    return years.stage, total


def _kinds(years: _Years) -> NDArray[np.int64]:
    """Number of each site's kind: sites of one kind count alike in every limit."""
    seen: dict[tuple[bytes, bytes], int] = {}
    years.amounts.sort_indices()
    return np.array([seen.setdefault((rows.tobytes(), amounts.tobytes()), len(seen))
                     for rows, amounts in map(years.terms, range(len(years.stage)))], dtype=np.int64)


@dataclass(eq=False)
class _Standing:
    """What stands at the end of one year, cell by cell."""

    weight: NDArray[np.float64]
    backup: float
    matrix: sp.csc_matrix
    turned: sp.csr_matrix
    count: NDArray[np.int32]

    def cells(self, site: int) -> NDArray[Any]:
        return self.matrix.indices[int(self.matrix.indptr[site]):int(self.matrix.indptr[site + 1])]

    def worth(self, site: int, standing: int) -> float:
        """Service that depends on the site: 0 = it does not stand and would add it, 1 = it stands and it would go."""
        cells = self.cells(site)
        others, weight = self.count[cells] - standing, self.weight[cells]
        first = float(weight[others == 0].sum())
        return first + (self.backup * float(weight[others == 1].sum()) if self.backup else 0.0)

    def shared(self, site: int) -> NDArray[np.float64]:
        """Weight that each site serves alone, or would, and that this site serves too, shape (sites,)."""
        cells = self.cells(site)
        cells = cells[self.count[cells] == 1]
        begin = self.turned.indptr[cells].astype(np.int64)
        times = self.turned.indptr[cells + 1] - begin
        at = np.repeat(begin - (np.cumsum(times) - times), times) + np.arange(int(times.sum()))
        found = np.bincount(self.turned.indices[at], np.repeat(self.weight[cells], times), self.matrix.shape[1])
        return np.asarray(found, dtype=np.float64)


def _exchange(part: Problem, matrices: tuple[sp.csc_matrix, sp.csr_matrix], years: _Years, number: int,
              kinds: NDArray[np.int64]) -> int:
    """One pass between the year ``number`` and the next; moves made."""
    count = part.reach.served(np.flatnonzero(years.stage <= number))
    here = _Standing(part.weight, part.backup, *matrices, count)
    later = np.flatnonzero((years.stage == number + 1) & years.free)
    early = np.flatnonzero((years.stage == number) & years.free)
    worth = [part.reach.sums(part.weight * (count == times)) for times in range(3)]
    gain, loss = worth[0] + part.backup * worth[1], worth[1] + part.backup * worth[2]
    cheap = early[np.argsort(loss[early], kind="stable")]
    alike = {int(kind): cheap[kinds[cheap] == kind] for kind in np.unique(kinds[cheap])}
    tiny = _LEAST_GAIN * max(1.0, float(part.weight.sum()))
    made = 0
    for site in later[np.argsort(-gain[later], kind="stable")]:
        if here.worth(site, 0) <= tiny:
            continue
        if years.holds(*years.shifted(site, number)):
            here.count[here.cells(site)] += 1
            years.move(site, number)
            made += 1
            continue
        same = alike.get(int(kinds[site]), cheap[:0])
        others = [own[years.stage[own] == number][:most] for own, most in ((same, _SAME), (cheap, _ANY))]
        beside = here.shared(int(site))
        touched = np.flatnonzero((beside > 0) & (years.stage == number) & years.free)
        others.append(touched[np.argsort(loss[touched] - beside[touched], kind="stable")[:_BESIDE]])
        made += _swap_one(here, years, int(site), number, np.concatenate(others))
    return made


def _swap_one(here: _Standing, years: _Years, site: int, number: int, others: NDArray[Any]) -> int:
    """Change places with the first of some sites that lets service grow; 1 when one did."""
    tiny = _LEAST_GAIN * max(1.0, float(here.weight.sum()))
    for other in map(int, others):
        less = here.worth(other, 1)
        here.count[here.cells(other)] -= 1
        if here.worth(site, 0) - less > tiny and _fits(years, site, other, number):
            here.count[here.cells(site)] += 1
            years.move(other, number + 1)
            years.move(site, number)
            return 1
        here.count[here.cells(other)] += 1
    return 0


def _fits(years: _Years, site: int, other: int, number: int) -> bool:
    """Whether every limit holds when both change places."""
    rows, change = years.shifted(site, number)
    more, back = years.shifted(other, number + 1)
    own = np.concatenate([rows, more])
    distinct, at = np.unique(own, return_inverse=True)
    sums = np.asarray(np.bincount(at, np.concatenate([change, back]), len(distinct)), dtype=np.float64)
    return years.holds(distinct, sums)

"""What each chosen site is worth to the plan, which limits hold it, and the best site that could stand in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from siteplan.selection.model.count import TOLERANCE, breaches
from siteplan.selection.model.problem import Floor, Problem
from siteplan.selection.model.reach import Reach
from siteplan.selection.standing import Standing, breaks

NEAREST = 400
"""Candidates nearest to a chosen site that are looked at as rivals of it."""

RIVAL_COLUMNS = {"loss": 0.0, "rival": -1, "rival_share": 0.0, "rival_worse": 0.0, "rival_bar": "", "rival_other": -1,
                 "rival_bar_zh": ""}
_Broken = Iterator[tuple[str, str, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Rival:
    """The best candidate in the place of a chosen one, built in the same year.

    Attributes
    ----------
    candidate : int
        -1 where nobody near serves any of what the site alone serves.
    share : float
        Share that it would take over of what the site alone serves in the end.
    worse : float
        Worth that the plan would lose by the exchange, over all years (negative: it would gain).
    bar : str
        Limit that the exchange breaks (see :class:`Bar`), empty where none.
    other : int
        The chosen site that is too near to it or of its venue, else -1.
    bar_zh : str
        The limit in words, of a yearly one that of its year; empty for the other bars.
    """

    candidate: int = -1
    share: float = 0.0
    worse: float = 0.0
    bar: str = ""
    other: int = -1
    bar_zh: str = ""


@dataclass(frozen=True)
class Bar:
    """What is in the way of an exchange.

    Attributes
    ----------
    name : str
        ``barred``, ``built_in`` (a decision fixes another year), ``group``, ``near``, the name of a row, floor or wish,
        ``locked`` (nothing but that the site has to stay); "" = nothing.
    other : int
        The chosen site that is too near or of the same venue, else -1.
    zh : str
        Words of the row, floor or wish.
    """

    name: str = ""
    other: int = -1
    zh: str = ""


@dataclass(frozen=True)
class Need:
    """A limit that breaks when a site goes: its name and words, what is missing then, and the unit ("" = no count)."""

    name: str
    zh: str
    short: float
    unit: str


def best_rivals(problem: Problem, chosen: NDArray[np.int64], xy: NDArray[np.float64],
                stage: NDArray[np.int32] | None = None, weight: NDArray[np.float64] | None = None) -> pd.DataFrame:
    """For every chosen site what is lost without it, and its best rival.

    The rival of a site is, of the ``NEAREST`` candidates around it that no limit keeps out, the one whose exchange
    would cost the plan least; where a limit keeps out everybody, the one that serves most of what the site alone
    serves. It comes in the year of the site it replaces: every limit of every year is looked at.

    Parameters
    ----------
    problem : Problem
    chosen : ndarray of int64
        Ascending.
    xy : ndarray, shape (candidates, 2)
        Places, m.
    stage : ndarray of int32, optional
        Stage in which each chosen site is built.
    weight : ndarray, shape (cells,), optional
        What shares are counted in, where the objective itself counts costs; that of the problem otherwise.

    Returns
    -------
    DataFrame
        One row for each of ``chosen``, in that order, RangeIndex; columns ``loss`` (worth lost without the site, its
        own bonus left out) and ``rival`` .. ``rival_bar_zh``: the attributes of :class:`Rival`.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 1], [1, 0]])))
    >>> problem = cover_problem(reach, np.array([5.0, 3.0]), 1)
    >>> best_rivals(problem, np.array([0]), np.zeros((2, 2)))[["loss", "rival", "rival_worse"]].values.tolist()
    [[8.0, 1.0, 3.0]]
    """
    standing = Standing(problem, np.asarray(chosen, dtype=np.int64), stage)
    tree = cKDTree(xy) if len(xy) else None
    measure = problem.weight if weight is None else weight
    rows = []
    for candidate in standing.chosen:
        loss, extra = _without(standing, int(candidate))
        near = np.zeros(0, dtype=np.int64)
        if tree is not None:
            found = np.atleast_1d(tree.query(xy[candidate], k=min(NEAREST, len(xy)))[1])
            near = np.sort(found).astype(np.int64)
            near = near[~standing.taken[near] & ~problem.barred[near]]
        rival = _best_rival(standing, int(candidate), near, (loss, extra), measure)
        rows.append((loss, rival.candidate, rival.share, rival.worse, rival.bar, rival.other, rival.bar_zh))
    return pd.DataFrame(rows, columns=list(RIVAL_COLUMNS))


def _without(standing: Standing, out: int) -> tuple[float, NDArray[np.float64]]:
    """Worth lost without a site (its bonus left out), and per cell what another would get more for it then."""
    problem, extra, loss = standing.problem, np.zeros(standing.problem.reach.cells), 0.0
    cells = problem.reach.cells_of(out)
    weight, backup = problem.weight[cells], problem.backup
    for year in range(int(standing.when[out]), len(standing.worths)):
        count = standing.servers_by_year[year][cells]
        own = standing.worths[year] * weight
        loss += float(own[count == 1].sum()) + backup * float(own[count == 2].sum())
        extra[cells] += own * np.where(count == 1, 1.0 - backup, np.where(count == 2, backup, 0.0))
    return loss, extra


def _best_rival(standing: Standing, candidate: int, near: NDArray[np.int64],
                gone: tuple[float, NDArray[np.float64]], weight: NDArray[np.float64]) -> Rival:
    problem = standing.problem
    alone = np.zeros(problem.reach.cells)
    cells = problem.reach.cells_of(candidate)
    mine = cells[standing.servers[cells] == 1]
    alone[mine] = weight[mine]
    total = float(alone.sum())
    if total <= 0 or not len(near):
        return Rival()
    reach = problem.reach.pick(near)
    over = reach.sums(alone)
    serving = over > 0
    if not serving.any():
        return Rival()
    loss, extra = gone
    joins = standing.joins[int(standing.when[candidate])][near] + reach.sums(extra)
    near, over, worse = near[serving], over[serving], (loss + problem.bonus[candidate] - joins)[serving]
    open_ = np.ones(len(near), dtype=bool)
    for _, _, broken in _broken(standing, near, candidate):
        open_ &= ~broken
    for at in (number for number in np.lexsort((near, worse)) if open_[number]):
        bar = exchange_bar(standing, int(near[at]), candidate)
        if bar.name in ("", "locked"):
            return Rival(int(near[at]), float(over[at] / total), float(worse[at]), bar.name)
    at = int(np.lexsort((near, -over))[0])
    bar = exchange_bar(standing, int(near[at]), candidate)
    return Rival(int(near[at]), float(over[at] / total), float(worse[at]), bar.name, bar.other, bar.zh)


def exchange_bar(standing: Standing, into: int, out: int) -> Bar:
    """What is in the way when a candidate comes in the place and year of a chosen site.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import Row, cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> county = Row("county", np.array([0], dtype=np.int32), np.ones(1), least=1, zh="甲县不少于1处")
    >>> problem = cover_problem(reach_of_matrix(sp.eye(2).tocsc()), np.ones(2), 1, rows=(county,))
    >>> exchange_bar(Standing(problem, np.array([0])), 1, 0)
    Bar(name='county', other=-1, zh='甲县不少于1处')
    """
    problem = standing.problem
    if problem.barred[into]:
        return Bar("barred")
    fixed = int(problem.built_in[into]) if len(standing.worths) == len(problem.stages) else -1
    if fixed >= 0 and fixed != standing.when[out]:
        return Bar("built_in", zh=f"决定于{problem.stages[fixed].year}年建设")
    other = standing.same_venue(into)
    if other >= 0 and other != out:
        return Bar("group", other)
    near = [int(site) for site in standing.near_to(into) if site != out]
    if near:
        return Bar("near", near[0])
    for name, zh, broken in _broken(standing, np.array([into], dtype=np.int64), out):
        if broken[0]:
            return Bar(name, zh=zh)
    return Bar("locked") if problem.locked[out] else Bar()


def _broken(standing: Standing, into: NDArray[np.int64], out: int) -> _Broken:
    """Rows, floors and wishes, each with which of these candidates break it in the place of a chosen one."""
    year = int(standing.when[out])
    for part in standing.counted:
        if part.first <= year <= part.last:
            after = part.has + part.amount[into] - part.amount[out]
            yield part.row.name, part.row.zh, breaks(part.row, part.has, after)
    if standing.problem.floors:
        yield from _floors_broken(standing, into, out)


def _floors_broken(standing: Standing, into: NDArray[np.int64], out: int) -> _Broken:
    problem = standing.problem
    cells = problem.reach.cells_of(out)
    served = standing.servers > 0
    before = [float(floor.weights[served[floor.cells]].sum()) for floor in problem.floors]
    served[cells[standing.servers[cells] == 1]] = False
    after = [float(floor.weights[served[floor.cells]].sum()) for floor in problem.floors]
    line = [floor.least - TOLERANCE * max(1.0, abs(floor.least)) for floor in problem.floors]
    reach = problem.reach.pick(into)
    reached = problem.reach.served(into) > 0

    def total(number: int) -> NDArray[np.float64]:
        return after[number] + _added(problem.floors[number], reach, ~served & reached)

    for number, floor in enumerate(problem.floors):
        asked = min(line[number], before[number])
        if floor.required and after[number] < asked:
            yield floor.name, floor.zh, total(number) < asked - TOLERANCE
    for wish in problem.wanted:
        asked = min(wish.least, sum(before[number] >= line[number] for number in wish.floors))
        missing = [number for number in wish.floors if after[number] < line[number]]
        passing = np.full(len(into), len(wish.floors) - len(missing))
        if passing.size and passing[0] < asked:
            for number in missing:
                passing += total(number) >= line[number]
            yield wish.name, wish.zh, passing < asked


def _added(floor: Floor, reach: Reach, bare: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each candidate of a reach adds to a floor on cells that nobody serves."""
    mine = bare[floor.cells]
    if not mine.any():
        return np.zeros(len(reach))
    weight = np.zeros(reach.cells)
    weight[floor.cells[mine]] = floor.weights[mine]
    return reach.sums(weight)


def needed_for(standing: Standing) -> dict[int, tuple[Need, ...]]:
    """Limits that hold those chosen sites in the plan that bring less than their price.

    Returns
    -------
    dict of int to tuple of Need
        Chosen candidate -> every limit that would break without it; only those without which the objective would be
        no worse. Empty where none breaks: then the plan could do without the site.
    """
    problem, chosen = standing.problem, standing.chosen
    stage = standing.stage if len(standing.worths) == len(problem.stages) else None
    before = {(breach.name, breach.zh) for breach in breaches(problem, chosen, stage)}
    units = {(part.row.name, part.row.zh): part.row.unit for part in standing.counted
             if (part.row.amounts == np.round(part.row.amounts)).all()}
    units |= {(wish.name, wish.zh): "个" for wish in problem.wanted}
    found = {}
    for number, out in enumerate(chosen):
        worth = _without(standing, int(out))[0] + float(problem.bonus[out])
        if worth > TOLERANCE:
            continue
        keep = np.arange(len(chosen)) != number
        broken = breaches(problem, chosen[keep], None if stage is None else stage[keep])
        found[int(out)] = tuple(
            Need(entry.name, entry.zh, entry.least - entry.has,
                 units.get((entry.name, entry.zh), "") if entry.has < entry.least else "")
            for entry in broken if (entry.name, entry.zh) not in before)
    return found

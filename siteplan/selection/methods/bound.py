"""What no choice within the limits exceeds: the bound of given multipliers, and the search for good ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.selection.methods.cliques import cliques_of
from siteplan.selection.methods.game import Game, Point, build_game, first_point, judge, point_from, priced, worth_of
from siteplan.selection.methods.row_limits import owned_floors, wish_least
from siteplan.selection.methods.saddle import Descent
from siteplan.selection.model.answer import Effort, Multipliers
from siteplan.selection.model.problem import Problem

_ENOUGH = 5e-5
"""The steps end when bound and linear relaxation are this near to each other (relative)."""
_WORK = 6e9
"""Runs and cells gone through in all, where the effort says nothing."""
_PASSES = (300, 6000)
_OFTEN, _EARLY = 20, 200
"""Passes from check to check, and up to which pass; later twice as many."""


@dataclass(frozen=True, eq=False)
class Proof:
    """A bound and how it came about.

    Attributes
    ----------
    bound : float
        ``upper_bound`` of the multipliers.
    multipliers : Multipliers
    fractional : ndarray of float64, shape (candidates,)
        Of the linear relaxation, 0 to 1: near 1 where a good plan builds.
    profit : ndarray of float64, shape (candidates,)
        Profit left after all prices (P_i): below 0 for candidates that a good plan rather leaves out.
    passes : int
    seconds : float
        Of the processor.
    infeasible : bool
        The bound lies below the value of any choice: no choice keeps all limits.
    cut : str
        What a limit of time cut short; empty when nothing was.
    """

    bound: float
    multipliers: Multipliers
    fractional: NDArray[np.float64]
    profit: NDArray[np.float64]
    passes: int
    seconds: float
    infeasible: bool = False
    cut: str = ""


def upper_bound(problem: Problem, multipliers: Multipliers) -> float:
    """The bound that multipliers give on the value of every choice within the limits of a problem without stages.

    Any multipliers will do: they are clipped to what is allowed; those of sides that are no limit, and of cliques that
    are not pairwise in ``problem.near``, count as 0. With W_j the weight of a cell and what floors add to it,

        sum_j max(0, W_j - l_j) + sum_j max(0, backup weight_j - l_j) + sum_i max(0, P_i) + what the limits cost,

    P_i being the bonus of a candidate and the l of its cells less its share of the limits (locked: P_i itself, barred:
    nothing). A floor counts for its requirement, else for the first wish that names it.

    Raises
    ------
    ModelError
        A problem with stages: see :func:`siteplan.selection.model.problem.relaxed`.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> problem = cover_problem(reach_of_matrix(sp.csc_matrix(np.array([[1, 1], [1, 0]]))), [3.0, 2.0], 1)
    >>> upper_bound(problem, Multipliers(np.array([3.0, 2.0]), rows_most=np.array([4.0])))
    5.0
    """
    return _bound(problem, multipliers)[0]


def _bound(problem: Problem, multipliers: Multipliers,
           reached: NDArray[np.float64] | None = None) -> tuple[float, NDArray[np.float64]]:
    """The bound and the profits; ``reached``: sums of the cells' multipliers, where they are known."""
    if problem.stages:
        raise ModelError("a bound is about one stage: take relaxed(problem, stage)")
    owner = owned_floors(problem)
    floors = np.where(owner >= -1, _clipped(multipliers.floors, len(owner)), 0.0)
    worth = worth_of(problem, floors)
    cells = _clipped(multipliers.cells, len(worth))
    np.minimum(cells, worth, out=cells)
    bound = float((worth - cells).sum())
    if problem.backup:
        bound += float(np.maximum(problem.backup * problem.weight - cells, 0.0).sum())
    least = np.array([floor.least for floor in problem.floors], dtype=np.float64)
    bound -= float((floors * least)[owner == -1].sum())
    wishes = zip(_clipped(multipliers.wanted, len(problem.wanted)), wish_least(problem, owner), strict=True)
    for number, (price, needed) in enumerate(wishes):
        own = owner == number
        bound += float(np.maximum(price - floors[own] * least[own], 0.0).sum()) - float(price * needed)
    profit = problem.bonus + (problem.reach.sums(cells) if reached is None else reached)
    for row, low, high in zip(problem.rows, _clipped(multipliers.rows_least, len(problem.rows)),
                              _clipped(multipliers.rows_most, len(problem.rows)), strict=True):
        down = low if np.isfinite(row.least) else 0.0
        up = high if np.isfinite(row.most) else 0.0
        bound += (up * (row.most - row.already) if up else 0.0) - (down * (row.least - row.already) if down else 0.0)
        profit[row.candidates] -= (up - down) * row.amounts
    groups = _clipped(multipliers.groups, int(problem.group.max(initial=-1)) + 1)
    inside = problem.group >= 0
    profit[inside] -= groups[problem.group[inside]]
    bound += float(groups.sum()) + _pay_cliques(problem, multipliers, profit)
    free = ~problem.locked & ~problem.barred
    return float(bound + np.maximum(profit[free], 0.0).sum() + profit[problem.locked].sum()), profit


def _clipped(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """As many multipliers as there are limits: 0 where none is given, where it is negative or no number."""
    full = np.zeros(count)
    given = np.asarray(values, dtype=np.float64)[:count]
    np.copyto(full[:len(given)], given, where=np.isfinite(given) & (given > 0))
    return full


def _pay_cliques(problem: Problem, multipliers: Multipliers, profit: NDArray[np.float64]) -> float:
    """Take the multipliers of cliques off the profits; their sum."""
    indptr, members = multipliers.clique_indptr, multipliers.clique_members.astype(np.int64)
    prices = _clipped(multipliers.cliques, len(indptr) - 1)
    used = np.flatnonzero(prices)
    if not len(used):
        return 0.0
    size = np.diff(indptr)
    if not len(problem.near):
        return 0.0
    known = np.unique(problem.near[:, 0].astype(np.int64) * len(problem) + problem.near[:, 1])
    good = np.ones(len(used), dtype=bool)
    for width in np.unique(size[used]):
        of = np.flatnonzero(size[used] == width)
        each = members[indptr[used[of]][:, None] + np.arange(width)]
        first, second = np.triu_indices(int(width), 1)
        a, b = each[:, first], each[:, second]
        pairs = np.minimum(a, b) * len(problem) + np.maximum(a, b)
        place = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
        good[of] = (known[place] == pairs).all(axis=1)
    prices[used[~good]] = 0.0
    profit -= np.bincount(members, np.repeat(prices, size), len(profit))
    return float(prices.sum())


def prove(problem: Problem, effort: Effort, target: float = -np.inf, start: Proof | None = None) -> Proof:
    """Look for multipliers of a low bound, by primal-dual steps on merged cells.

    Ends when the bound is within ``effort.gap`` of ``target`` (the value of a plan), when it is as good as the linear
    relaxation, or after ``effort.passes`` or ``effort.seconds`` (of the wall). The bound is that of ``upper_bound``.

    Parameters
    ----------
    problem : Problem
        Without stages.
    effort : Effort
        ``passes`` None: by the size of the problem.
    target : float
        Value of a plan.
    start : Proof, optional
        To go on from: of the same problem, or of one with other limits.

    Raises
    ------
    ModelError
        A problem with stages.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.array([3.0, 2.0, 1.0]), 2)
    >>> round(prove(problem, Effort(passes=200)).bound, 3)
    5.0
    """
    if problem.stages:
        raise ModelError("a bound is about one stage: take relaxed(problem, stage)")
    clock, wall = time.process_time(), time.perf_counter()
    until = wall + effort.seconds if effort.seconds is not None else np.inf
    cliques = cliques_of(problem)
    game, cell_of = build_game(problem, cliques, effort.threads)
    lowest, scale = _lowest(problem)
    try:
        point = first_point(game) if start is None else point_from(
            problem, game, cell_of, start.multipliers, start.fractional)
        best, y, count, cut = _descend(game, point, effort, (target, lowest - 1e-3 * scale), until)
    finally:
        game.passes.close()
    multipliers, reached = priced(problem, game, cell_of, cliques, best)
    bound, profit = _bound(problem, multipliers, reached)
    fractional = np.zeros(len(problem))
    fractional[game.passes.order] = y[:len(problem)]
    return Proof(bound, multipliers, fractional, profit, count, time.process_time() - clock,
                 bool(bound < lowest - 1e-6 * scale), cut)


def _lowest(problem: Problem) -> tuple[float, float]:
    """What any choice is worth at least (candidates that have to be in, and all that cost), and a scale of values."""
    free = ~problem.locked & ~problem.barred
    lowest = float(problem.bonus[problem.locked].sum() + np.minimum(problem.bonus[free], 0.0).sum())
    return lowest, float(np.abs(problem.bonus).sum() + problem.weight.sum()) or 1.0


def _descend(game: Game, point: Point, effort: Effort, goals: tuple[float, float],
             until: float) -> tuple[Point, NDArray[np.float64], int, str]:
    """Steps until one of the goals (value of a plan; a bound that no choice can have) or the end of the effort.

    The best point, the average y, passes, what was cut short.
    """
    target, impossible = goals
    passes = effort.passes
    if passes is None:
        passes = int(effort.share * np.clip(_WORK // (len(game.passes.who) + game.passes.cells + 1), *_PASSES))
    nothing = Point(np.zeros_like(point.share), np.zeros_like(point.floors), point.y, np.zeros_like(point.prices))
    best, y, value, cut = judge(game, nothing), point.y, -np.inf, ""
    last, before = np.inf, np.inf
    descent = Descent(game, point)
    while descent.count < passes:
        descent.step()
        late = time.perf_counter() > until
        if descent.count % (_OFTEN if descent.count <= _EARLY else 2 * _OFTEN) and not late and descent.count < passes:
            continue
        average, current = descent.average(), descent.current()
        better = average if average.bound <= current.bound else current
        if better.bound < best.bound:
            best = replace(better, share=better.share.copy())
        if average.value > value:
            value, y = average.value, average.y
        enough = max(_ENOUGH * abs(value), 1e-9)
        if best.bound - value <= enough or best.bound - target <= effort.gap * abs(target) or best.bound < impossible:
            break
        if late:
            cut = f"bound stopped by the time limit after {descent.count} of {passes} passes"
            break
        gap = better.bound - average.value
        long = descent.since >= max(4 * _OFTEN, 0.36 * descent.count)
        if gap <= 0.4 * last or (gap <= 0.8 * last and gap > before) or long:
            descent.restart(better)
            last, before = gap, np.inf
        else:
            before = gap
    return best, y, descent.count, cut

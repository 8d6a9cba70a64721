"""Maximal covering on plain arrays: the most weight for a number of sites, with a valid upper bound on any choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from siteplan.errors import ModelError
from siteplan.selection.methods.greedy import greedy_order
from siteplan.selection.methods.solve import solve
from siteplan.selection.model import Effort
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix
from siteplan.selection.serving import new_weights
from siteplan.selection.task import checked_reach


def optimality_gap(covered: float, upper_bound: float) -> float:
    """``(upper_bound - covered) / covered``; 0 when nothing can be covered, infinite when nothing was.

    >>> optimality_gap(80.0, 100.0)
    0.25
    """
    if covered > 0:
        return (upper_bound - covered) / covered
    return 0.0 if upper_bound <= 0 else float("inf")


@dataclass(frozen=True)
class Cover:
    """Answer of :func:`max_cover`.

    Attributes
    ----------
    sites : ndarray of int
        Columns of ``reach``, that of the greatest newly covered weight first.
    gains : ndarray of float
        Weight newly covered by each, in that order.
    covered : float
        Weight covered by all of them.
    upper_bound : float
        No choice of at most ``max_sites`` columns covers more.
    multipliers : ndarray of float
        Per row, 0..weight: with them anybody can recompute a bound, see :func:`bound_from_multipliers`.
    status : str
        ``optimal`` or ``feasible``.
    """

    sites: np.ndarray
    gains: np.ndarray
    covered: float
    upper_bound: float
    multipliers: np.ndarray
    status: str

    @property
    def optimality_gap(self) -> float:
        """``(upper_bound - covered) / covered``; 0 when nothing can be covered."""
        return optimality_gap(self.covered, self.upper_bound)


def _best_total(profit: np.ndarray, max_sites: int, cost: np.ndarray | None, budget: float | None) -> float:
    """Bound on the profit of any choice: the greatest ``max_sites``, and the fractional knapsack under the budget."""
    if cost is not None and budget is not None:
        profit = np.where(cost <= budget, profit, 0.0)
    count = min(max_sites, len(profit))
    by_count = float(np.sort(profit)[::-1][:count].sum())
    if cost is None or budget is None:
        return by_count
    free = float(profit[cost <= 0].sum())
    paid = np.flatnonzero((cost > 0) & (profit > 0))
    order = paid[np.argsort(-profit[paid] / cost[paid], kind="stable")]
    spent = np.cumsum(cost[order])
    whole = int(np.searchsorted(spent, budget, side="right"))
    total = free + float(profit[order[:whole]].sum())
    if whole < len(order):
        before = float(spent[whole - 1]) if whole else 0.0
        total += float(profit[order[whole]]) * (budget - before) / float(cost[order[whole]])
    return min(by_count, total)


def bound_from_multipliers(reach: sp.spmatrix, weight: np.ndarray, multipliers: np.ndarray, max_sites: int,
                           cost: np.ndarray | None = None, budget: float | None = None) -> float:
    """Upper bound on the weight any choice can cover, from any multipliers 0 <= lambda <= weight.

    For cover counts c: ``min(1, c) <= 1`` and ``min(1, c) <= c``, so served weight <= sum(w - lambda) + sum of the best
    r_i with ``r = reach' lambda``. The multipliers decide how tight the bound is, never whether it is valid.

    >>> reach = sp.csc_matrix(np.array([[1, 0], [1, 0], [0, 1]]))
    >>> bound_from_multipliers(reach, np.array([2.0, 3.0, 4.0]), np.array([2.0, 3.0, 4.0]), 1)
    5.0
    """
    matrix, weights = checked_reach(reach, weight)
    matrix.data[:] = 1.0
    lam = np.clip(np.asarray(multipliers, dtype=np.float64), 0.0, weights)
    return float((weights - lam).sum()) + _best_total(matrix.T @ lam, max_sites, cost, budget)


def _whole_number(value: object) -> int:
    """A count >= 0; ModelError for anything else."""
    if isinstance(value, int | float | np.integer | np.floating) and float(value).is_integer() and value >= 0:
        return int(value)
    raise ModelError(f"max_sites must be a whole number >= 0, not {value!r}")


def max_cover(reach: sp.spmatrix, weight: np.ndarray, max_sites: int, method: str = "auto",
              effort: Effort | None = None) -> Cover:
    """Maximal covering with a valid upper bound.

    Parameters
    ----------
    reach : scipy.sparse matrix, shape (demand, sites)
        Non-zero where the site serves the demand point.
    weight : ndarray, shape (demand,)
        Weight of each demand point, finite and >= 0.
    max_sites : int
        Greatest number of sites, >= 0.
    method : str
        See :func:`siteplan.selection.solve`.
    effort : Effort, optional

    Returns
    -------
    Cover

    Raises
    ------
    ModelError
        Wrong shapes, NaN or negative weights, negative ``max_sites``, an unknown method.

    Examples
    --------
    >>> reach = sp.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]]))
    >>> answer = max_cover(reach, np.array([5.0, 3.0, 4.0]), 2)
    >>> answer.sites.tolist(), answer.covered, answer.upper_bound
    ([0, 2], 12.0, 12.0)
    """
    matrix, weights = checked_reach(reach, weight)
    matrix.data[:] = 1.0
    problem = cover_problem(reach_of_matrix(matrix), weights, _whole_number(max_sites))
    answer = solve(problem, method, effort)
    order, _ = greedy_order(problem, answer.chosen)
    gains = new_weights(matrix, weights, order)
    multipliers = answer.multipliers[0].cells if answer.multipliers else weights
    return Cover(order, gains, float(gains.sum()), max(answer.bound, float(gains.sum())), multipliers, answer.status)

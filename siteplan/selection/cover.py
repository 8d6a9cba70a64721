"""Maximal covering on plain arrays: lazy greedy, and a valid upper bound on any choice."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from siteplan.errors import ModelError

BOUND_PASSES = 300


def optimality_gap(covered: float, upper_bound: float) -> float:
    """``(upper_bound - covered) / covered``; 0 when nothing can be covered, infinite when nothing was.

    >>> optimality_gap(80.0, 100.0)
    0.25
    """
    if covered > 0:
        return (upper_bound - covered) / covered
    return 0.0 if upper_bound <= 0 else float("inf")


class Gate(Protocol):
    """Further limits on a greedy choice; what is refused once can never be admitted later."""

    def admit(self, column: int, gain: float) -> bool:
        """Tell whether this column may be chosen now, with this gain."""

    def take(self, column: int) -> None:
        """The column was chosen."""


class Exchange(Protocol):
    """A rule that takes another column instead of the one whose turn it is."""

    def instead(self, column: int, left: np.ndarray) -> int:
        """The column to choose: ``column`` itself or another one that is admitted; ``left`` is the uncovered weight."""


@dataclass(frozen=True)
class Cover:
    """Answer of :func:`max_cover`.

    Attributes
    ----------
    sites : ndarray of int
        Columns of ``reach`` in the order of choice.
    gains : ndarray of float
        Weight newly covered by each, at the moment it was chosen.
    covered : float
        Weight covered by all of them.
    upper_bound : float
        No choice of at most ``max_sites`` columns covers more.
    multipliers : ndarray of float
        Per row, 0..weight: with them anybody can recompute the bound, see :func:`bound_from_multipliers`.
    """

    sites: np.ndarray
    gains: np.ndarray
    covered: float
    upper_bound: float
    multipliers: np.ndarray

    @property
    def optimality_gap(self) -> float:
        """``(upper_bound - covered) / covered``; 0 when nothing can be covered."""
        return optimality_gap(self.covered, self.upper_bound)


def checked_problem(reach: sp.spmatrix, weight: np.ndarray) -> tuple[sp.csc_matrix, np.ndarray]:
    """Reach as a 0/1 csc matrix and weights as float64; ModelError names what is wrong."""
    if not sp.issparse(reach):
        raise ModelError("reach must be a scipy.sparse matrix, demand x sites")
    matrix = sp.csc_matrix(reach, copy=True)
    matrix.sum_duplicates()
    matrix.data = (matrix.data != 0).astype(np.float64)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != (matrix.shape[0],):
        raise ModelError(f"weight has shape {weights.shape}, reach has {matrix.shape[0]} rows: one weight per row")
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(bad):
        raise ModelError(f"weight must be finite and >= 0; wrong in {len(bad)} rows, first rows {bad[:5].tolist()}")
    return matrix, weights


def lazy_greedy(matrix: sp.csc_matrix, weight: np.ndarray, score: np.ndarray, limit: int,
            gate: Gate | None = None, exchange: Exchange | None = None) -> tuple[list[int], list[float], np.ndarray]:
    """Lazy greedy (Minoux 1978): at each step the admitted column of greatest score * new weight, ties to the lower.

    Gains only shrink as cover grows, so a stale value is an upper bound and only the top of the heap is recomputed.
    A column that is exchanged for another one stays in the heap with what is left for it.
    """
    left = weight.copy()
    columns, start = matrix.indices, matrix.indptr
    first = (matrix.T @ weight) * score
    heap = [(-float(value), column) for column, value in enumerate(first) if value > 0]
    heapq.heapify(heap)
    chosen: list[int] = []
    gains: list[float] = []
    taken: set[int] = set()
    while heap and len(chosen) < limit:
        _, column = heapq.heappop(heap)
        if column in taken:
            continue
        rows = columns[start[column]:start[column + 1]]
        gain = float(left[rows].sum())
        value = gain * score[column]
        if (gate is not None and not gate.admit(column, gain)) or value <= 0:
            continue
        if heap and (-value, column) > heap[0]:
            heapq.heappush(heap, (-value, column))
            continue
        other = column if exchange is None else exchange.instead(column, left)
        if other != column:
            heapq.heappush(heap, (-value, column))
            column, rows = other, columns[start[other]:start[other + 1]]
            gain = float(left[rows].sum())
        chosen.append(column)
        gains.append(gain)
        taken.add(column)
        left[rows] = 0.0
        if gate is not None:
            gate.take(column)
    return chosen, gains, left


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
    matrix, weights = checked_problem(reach, weight)
    lam = np.clip(np.asarray(multipliers, dtype=np.float64), 0.0, weights)
    return float((weights - lam).sum()) + _best_total(matrix.T @ lam, max_sites, cost, budget)


def _tighten_bound(matrix: sp.csc_matrix, weight: np.ndarray, served: float, max_sites: int,
                   cost: np.ndarray | None, budget: float | None) -> tuple[float, np.ndarray]:
    """Lagrangian bound by projected subgradient steps (Polyak), from the greedy value as target.

    The reduced problem picks the columns of greatest profit; the subgradient is their cover count less one. Under a
    budget the pick by count alone steers the steps, and the bound itself counts both limits.
    """
    degree = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1.0)
    lam = weight / degree
    best, best_lam, turned = np.inf, lam, matrix.T
    count = min(max_sites, matrix.shape[1])
    scale, stale = 1.0, 0
    for _ in range(BOUND_PASSES):
        profit = turned @ lam
        value = float((weight - lam).sum()) + _best_total(profit, max_sites, cost, budget)
        if value < best:
            best, best_lam, stale = value, lam, 0
        else:
            stale += 1
            if stale >= 10:
                scale, stale = scale * 0.6, 0
        top = np.zeros(len(profit))
        top[np.argpartition(-profit, count - 1)[:count] if count else []] = 1.0
        slope = matrix @ top - 1.0
        norm = float(np.square(slope).sum())  # whole numbers: exact in any order, and no threads start for it
        if norm <= 0 or value - served <= 1e-9 * max(1.0, served) or scale < 1e-3:
            break
        lam = np.clip(lam - scale * (value - served) / norm * slope, 0.0, weight)
    lost = np.diff(sp.csr_matrix(matrix).indptr) == 0
    reachable = float(weight[~lost].sum())
    return (best, best_lam) if best <= reachable else (reachable, np.where(lost, weight, 0.0))


def _whole_number(value: object) -> int:
    """A count >= 0; ModelError for anything else."""
    if isinstance(value, int | float | np.integer | np.floating) and float(value).is_integer() and value >= 0:
        return int(value)
    raise ModelError(f"max_sites must be a whole number >= 0, not {value!r}")


def max_cover(reach: sp.spmatrix, weight: np.ndarray, max_sites: int) -> Cover:
    """Greedy maximal covering with a valid upper bound.

    Parameters
    ----------
    reach : scipy.sparse matrix, shape (demand, sites)
        Non-zero where the site serves the demand point.
    weight : ndarray, shape (demand,)
        Weight of each demand point, finite and >= 0.
    max_sites : int
        Greatest number of sites, >= 0.

    Returns
    -------
    Cover
        Greedy is at least 1 - 1/e of the best choice (Nemhauser, Wolsey, Fisher 1978); the bound says how far off it
        can be on this very input.

    Raises
    ------
    ModelError
        Wrong shapes, NaN or negative weights, negative ``max_sites``.

    Examples
    --------
    >>> reach = sp.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]]))
    >>> answer = max_cover(reach, np.array([5.0, 3.0, 4.0]), 2)
    >>> answer.sites.tolist(), answer.covered, answer.upper_bound
    ([0, 2], 12.0, 12.0)
    """
    matrix, weights = checked_problem(reach, weight)
    limit = _whole_number(max_sites)
    chosen, gains, left = lazy_greedy(matrix, weights, np.ones(matrix.shape[1]), limit)
    covered = float(weights.sum() - left.sum()) if chosen else 0.0
    bound, multipliers = proved_bound(matrix, weights, covered, limit, None, None)
    return Cover(np.array(chosen, dtype=int), np.array(gains), covered, bound, multipliers)


def proved_bound(matrix: sp.csc_matrix, weight: np.ndarray, covered: float, limit: int, cost: np.ndarray | None,
           budget: float | None) -> tuple[float, np.ndarray]:
    """Bound and its multipliers; zero where nothing may or can be chosen."""
    affordable = cost is None or budget is None or bool((cost <= budget).any())
    if limit == 0 or matrix.shape[1] == 0 or matrix.nnz == 0 or not affordable:
        return 0.0, weight.copy()
    bound, multipliers = _tighten_bound(matrix, weight, covered, limit, cost, budget)
    return max(bound, covered), multipliers

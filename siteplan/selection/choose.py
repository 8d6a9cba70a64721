"""Choose sites among the candidates of a plan: limits, preference for free public venues, proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplan.errors import ModelError
from siteplan.params import SelectionParams
from siteplan.selection.cover import checked_problem, lazy_greedy, optimality_gap, proved_bound


@dataclass(frozen=True)
class Selection:
    """Sites chosen for a plan.

    Attributes
    ----------
    site_ids : tuple of str
        In the order of choice.
    gains : ndarray
        Demand newly served by each when chosen (weighted as ``weight``).
    cost_yuan : float
        Cost of all of them.
    covered, upper_bound : float
        Weight served, and a bound on what any choice within the same limits can serve.
    reach : csc_matrix
        demand cells x candidates, 1 where the candidate serves the cell.
    weight : ndarray
        Weight per demand cell.
    candidate_ids : tuple of str
        Columns of ``reach``.
    multipliers : ndarray
        Per demand cell; see :func:`bound_from_multipliers`.
    stopped : str
        Why no further site was chosen: ``max_sites``, ``budget``, ``min_gain``, ``too_dear``, ``spacing``, ``no_gain``.
    bound_sites : int
        Number of sites the bound is about: ``max_sites``, or the number chosen where the rest was not worth a site.
    barred : mapping of str to (str, str)
        Candidates that broke a limit when their turn came: the limit, and the chosen site that is too near (or "").
    """

    site_ids: tuple[str, ...]
    gains: np.ndarray
    cost_yuan: float
    covered: float
    upper_bound: float
    reach: sp.csc_matrix
    weight: np.ndarray
    candidate_ids: tuple[str, ...]
    multipliers: np.ndarray
    stopped: str
    bound_sites: int
    barred: Mapping[str, tuple[str, str]]

    @property
    def optimality_gap(self) -> float:
        """``(upper_bound - covered) / covered``; 0 when nothing can be covered."""
        return optimality_gap(self.covered, self.upper_bound)


class _Limits:
    """Admits a column while its gain, the budget and the spacing allow it; remembers why it did not."""

    def __init__(self, xy: np.ndarray, cost: np.ndarray, params: SelectionParams) -> None:
        self._xy, self._cost, self._params = xy, cost, params
        self._taken: list[int] = []
        self._spent = 0.0
        self.barred: dict[int, tuple[str, int]] = {}

    @property
    def stopped(self) -> str:
        """The reason that matters most for what could not be chosen."""
        found = {reason for reason, _ in self.barred.values()}
        return next((reason for reason in ("budget", "min_gain", "too_dear", "spacing") if reason in found), "no_gain")

    def admit(self, column: int, gain: float) -> bool:
        """False when the column breaks a limit; limits only tighten, so it never can be chosen later."""
        fault = self._fault(column, gain)
        if fault is not None:
            self.barred[column] = fault
        return fault is None

    def _fault(self, column: int, gain: float) -> tuple[str, int] | None:
        """The limit that is broken, and the chosen column that is too near (-1 for other limits)."""
        if self._taken:
            distance = np.hypot(*(self._xy[self._taken] - self._xy[column]).T)
            nearest = int(distance.argmin())
            if distance[nearest] < self._params.spacing_m:
                return "spacing", self._taken[nearest]
        if gain <= 0:
            return "no_gain", -1
        if gain < self._params.min_gain:
            return "min_gain", -1
        if self._cost[column] > gain * self._params.max_yuan_per_gain:
            return "too_dear", -1
        budget = self._params.budget_yuan
        if budget is not None and self._spent + self._cost[column] > budget:
            return "budget", -1
        return None

    def take(self, column: int) -> None:
        """Count the column as chosen."""
        self._taken.append(column)
        self._spent += float(self._cost[column])


def select_sites(candidates: pd.DataFrame, reach: sp.spmatrix, weight: np.ndarray,
                 params: SelectionParams) -> Selection:
    """Choose sites among candidates: most new demand first, free public venues favoured.

    Parameters
    ----------
    candidates : DataFrame
        Index ``site_id``, one row per column of ``reach`` in that order; columns ``cost_yuan`` (>= 0), ``preference``
        (0..1, multiplies the gain of the tier), ``x``, ``y`` (m).
    reach : scipy.sparse matrix, shape (demand cells, candidates)
    weight : ndarray, shape (demand cells,)
    params : SelectionParams
        Limits on number, budget and spacing, and the least gain that is worth a site.

    Returns
    -------
    Selection
        Equal score: the lower preference loses, then the later id. ``upper_bound`` bounds the demand that ANY choice
        within the limits on number and budget can serve; spacing is left out of it, which keeps it valid.
    """
    matrix, weights = checked_problem(reach, weight)
    if len(candidates) != matrix.shape[1]:
        raise ModelError(f"{len(candidates)} candidates for {matrix.shape[1]} columns of reach")
    cost = candidates["cost_yuan"].to_numpy(dtype=float)
    wrong = candidates.index[~np.isfinite(cost) | (cost < 0)]
    if len(wrong):
        raise ModelError(f"cost_yuan must be finite and >= 0; wrong for {', '.join(map(str, wrong[:5]))}")
    score = candidates["preference"].to_numpy(dtype=float)
    if params.budget_yuan is not None:
        score = score / np.maximum(cost, 1.0)
    xy = candidates[["x", "y"]].to_numpy(dtype=float)
    order = np.lexsort((np.asarray(candidates.index, dtype=object).astype(str), -candidates["preference"].to_numpy()))
    limits = _Limits(xy[order], cost[order], params)
    chosen, gains, _ = lazy_greedy(sp.csc_matrix(matrix[:, order]), weights, score[order], params.max_sites, limits)
    covered = float(np.sum(gains))
    stopped = "max_sites" if len(chosen) >= params.max_sites else limits.stopped
    count = len(chosen) if stopped in ("min_gain", "too_dear") else params.max_sites
    bound, multipliers = proved_bound(matrix, weights, covered, count, cost, params.budget_yuan)
    names = [str(candidates.index[number]) for number in order]
    ids = tuple(names[column] for column in chosen)
    barred = {names[column]: (reason, names[other] if other >= 0 else "")
              for column, (reason, other) in limits.barred.items()}
    return Selection(ids, np.array(gains), float(cost[order][chosen].sum()), covered, bound, matrix, weights,
                     tuple(map(str, candidates.index)), multipliers, stopped, count, barred)

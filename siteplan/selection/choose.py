"""Choose sites among the candidates of a plan: limits, preference for free public venues, proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplan.errors import ModelError
from siteplan.params import SelectionParams

if TYPE_CHECKING:
    from siteplan.selection.preference import PreferencePrice
from siteplan.selection.cover import checked_problem, lazy_greedy, optimality_gap, proved_bound

LAST_PUBLIC_TIER = 3
"""Where candidates do not say ``must_open``, tiers up to this one are public venues, poles and existing masts."""
NEARBY_M = 1000.0
"""A public candidate within this distance of a private site is its rival, m (unverified default)."""
RIVAL_SHARE = 0.8
"""A private site gives way to a public rival that serves at least this share of what it would newly serve (unverified
default)."""


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
        Candidates that broke a limit when their turn came: the limit (those of ``stopped``, or ``venue``: another place
        of the same venue was chosen), and the chosen site that is too near or of the same venue (or "").
    barred_after : mapping of str to int
        How many sites had been chosen when they broke it.
    xy : ndarray, shape (candidates, 2)
        Where the candidates are, m.
    price : PreferencePrice or None
        What it costs or saves that free venues are favoured, where that was compared.
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
    barred_after: Mapping[str, int]
    xy: np.ndarray
    price: PreferencePrice | None = None

    @property
    def optimality_gap(self) -> float:
        """``(upper_bound - covered) / covered``; 0 when nothing can be covered."""
        return optimality_gap(self.covered, self.upper_bound)


@dataclass(frozen=True)
class GreedyRun:
    """One greedy choice: rows of the candidates in the order of choice, what each served newly, who was barred and why.

    ``barred`` gives for a row the limit it broke and the chosen row that stands in its way (-1 for other limits),
    ``barred_after`` how many had been chosen by then.
    """

    rows: np.ndarray
    gains: np.ndarray
    barred: Mapping[int, tuple[str, int]]
    barred_after: Mapping[int, int]
    stopped: str


@dataclass(frozen=True)
class _Traits:
    """What limits and exchange need of the candidates, in the order of the columns."""

    xy: np.ndarray
    cost: np.ndarray
    spacing: np.ndarray
    venue: np.ndarray
    public: np.ndarray


def is_public(candidates: pd.DataFrame) -> np.ndarray:
    """Which candidates are public venues, poles or existing masts: those that have to open.

    Tiers and duties are edited apart from each other, so the duty (``must_open``) decides; only where the table has no
    such column, the tiers 1 to ``LAST_PUBLIC_TIER`` do.

    >>> is_public(pd.DataFrame({"tier": [0, 1, 3, 4]})).tolist()
    [False, True, True, False]
    >>> is_public(pd.DataFrame({"tier": [3, 4], "must_open": [False, True]})).tolist()
    [False, True]
    """
    if "must_open" in candidates:
        return candidates["must_open"].to_numpy(dtype=bool)
    tier = _column(candidates, "tier", 0.0)
    return np.asarray((tier >= 1) & (tier <= LAST_PUBLIC_TIER))


class _Limits:
    """Admits a column while its gain, the budget, the spacing and its venue allow it; remembers why it did not."""

    def __init__(self, traits: _Traits, params: SelectionParams) -> None:
        self._traits, self._params = traits, params
        self._taken: list[int] = []
        self._venues: dict[str, int] = {}
        self._near = (np.zeros(0), np.zeros(0), np.zeros(0))
        self._spent = 0.0
        self.barred: dict[int, tuple[str, int]] = {}
        self.barred_after: dict[int, int] = {}

    @property
    def stopped(self) -> str:
        """The reason that matters most for what could not be chosen."""
        found = {"spacing" if reason == "venue" else reason for reason, _ in self.barred.values()}
        return next((reason for reason in ("budget", "min_gain", "too_dear", "spacing") if reason in found), "no_gain")

    def admit(self, column: int, gain: float) -> bool:
        """False when the column breaks a limit; limits only tighten, so it never can be chosen later."""
        fault = self._fault(column, gain)
        if fault is not None and column not in self.barred:
            self.barred[column], self.barred_after[column] = fault, len(self._taken)
        return fault is None

    def _fault(self, column: int, gain: float) -> tuple[str, int] | None:
        """The limit that is broken, and the chosen column that stands in the way (-1 for other limits)."""
        traits, params = self._traits, self._params
        if self._taken:
            other = self._venues.get(traits.venue[column], -1)
            if other >= 0:
                return "venue", other
            x, y, spacing = self._near
            distance = np.hypot(x - traits.xy[column, 0], y - traits.xy[column, 1])
            least = np.maximum(np.minimum(spacing, traits.spacing[column]), params.spacing_m)
            near = distance < least
            if near.any():
                return "spacing", self._taken[int(np.where(near, distance, np.inf).argmin())]
        if gain <= 0:
            return "no_gain", -1
        if gain < params.min_gain:
            return "min_gain", -1
        if traits.cost[column] > gain * params.max_yuan_per_gain:
            return "too_dear", -1
        budget = params.budget_yuan
        if budget is not None and self._spent + traits.cost[column] > budget:
            return "budget", -1
        return None

    def take(self, column: int) -> None:
        """Count the column as chosen."""
        traits = self._traits
        self._taken.append(column)
        if traits.venue[column]:
            self._venues[traits.venue[column]] = column
        self._near = (traits.xy[self._taken, 0], traits.xy[self._taken, 1], traits.spacing[self._taken])
        self._spent += float(traits.cost[column])


class _PublicFirst:
    """Takes a public rival instead of a private site, where one serves nearly as much and breaks no limit."""

    def __init__(self, matrix: sp.csc_matrix, traits: _Traits, limits: _Limits) -> None:
        self._matrix, self._traits, self._limits = matrix, traits, limits
        self._public = np.flatnonzero(traits.public)

    def instead(self, column: int, left: np.ndarray) -> int:
        """The best admitted rival within ``NEARBY_M`` that serves ``RIVAL_SHARE`` of the column's new weight."""
        traits = self._traits
        if traits.public[column]:
            return column
        near = self._public[np.hypot(*(traits.xy[self._public] - traits.xy[column]).T) <= NEARBY_M]
        fresh = np.zeros(len(left))
        rows = self._cells(column)
        fresh[rows] = left[rows]
        share = (self._matrix[:, near].T @ fresh) / max(float(fresh.sum()), 1e-12)
        for number in np.argsort(-share, kind="stable"):
            if share[number] < RIVAL_SHARE * (1 - 1e-9):
                break
            rival = int(near[number])
            if self._limits.admit(rival, float(left[self._cells(rival)].sum())):
                return rival
        return column

    def _cells(self, column: int) -> np.ndarray:
        start = self._matrix.indptr
        cells: np.ndarray = self._matrix.indices[start[column]:start[column + 1]]
        return cells


def _column(candidates: pd.DataFrame, name: str, default: float) -> np.ndarray:
    """A number per candidate; the default where the column or the value is missing."""
    if name not in candidates:
        return np.full(len(candidates), default)
    return np.asarray(np.nan_to_num(candidates[name].to_numpy(dtype=float), nan=default))


def checked_candidates(candidates: pd.DataFrame, matrix: sp.csc_matrix) -> None:
    """ModelError unless there is a candidate for every column, each with a finite cost."""
    if len(candidates) != matrix.shape[1]:
        raise ModelError(f"{len(candidates)} candidates for {matrix.shape[1]} columns of reach")
    cost = candidates["cost_yuan"].to_numpy(dtype=float)
    wrong = candidates.index[~np.isfinite(cost) | (cost < 0)]
    if len(wrong):
        raise ModelError(f"cost_yuan must be finite and >= 0; wrong for {', '.join(map(str, wrong[:5]))}")


def run_greedy(candidates: pd.DataFrame, matrix: sp.csc_matrix, weight: np.ndarray, params: SelectionParams,
               strength: float = 1.0) -> GreedyRun:
    """Greedy choice with the preference taken to a power: 1 as it is, 0 none at all.

    Without preference a private site does not give way to a public rival either. Arguments as in :func:`select_sites`,
    ``matrix`` and ``weight`` checked by :func:`siteplan.selection.cover.checked_problem`.
    """
    cost = candidates["cost_yuan"].to_numpy(dtype=float)
    preference = candidates["preference"].to_numpy(dtype=float) ** strength
    order = np.lexsort((np.asarray(candidates.index, dtype=object).astype(str), cost, -preference))
    score = preference / np.maximum(cost, 1.0) if params.budget_yuan is not None else preference
    venue = candidates["venue"].fillna("").to_numpy(dtype=object) if "venue" in candidates else np.full(len(cost), "")
    spacing, public = _column(candidates, "spacing_m", 0.0), is_public(candidates)
    traits = _Traits(candidates[["x", "y"]].to_numpy(dtype=float)[order], cost[order], spacing[order], venue[order],
                     public[order])
    ordered = sp.csc_matrix(matrix[:, order])
    limits = _Limits(traits, params)
    exchange = _PublicFirst(ordered, traits, limits) if strength > 0 else None
    chosen, gains, _ = lazy_greedy(ordered, weight, score[order], params.max_sites, limits, exchange)
    barred = {int(order[column]): (reason, int(order[other]) if other >= 0 else -1)
              for column, (reason, other) in limits.barred.items()}
    after = {int(order[column]): number for column, number in limits.barred_after.items()}
    stopped = "max_sites" if len(chosen) >= params.max_sites else limits.stopped
    return GreedyRun(order[chosen] if chosen else np.zeros(0, dtype=int), np.array(gains), barred, after, stopped)


def select_sites(candidates: pd.DataFrame, reach: sp.spmatrix, weight: np.ndarray,
                 params: SelectionParams) -> Selection:
    """Choose sites among candidates: most new demand first, free public venues favoured.

    Parameters
    ----------
    candidates : DataFrame
        Index ``site_id``, one row per column of ``reach`` in that order; columns ``cost_yuan`` (>= 0), ``preference``
        (0..1, multiplies the gain of the tier), ``x``, ``y`` (m). Optional: ``spacing_m`` (two chosen sites are at
        least the smaller of both apart, m), ``venue`` (of candidates with the same one, at most one is chosen; "" =
        none), ``must_open`` or, without it, ``tier`` (see :func:`is_public`: a private site gives way to a public one
        within ``NEARBY_M`` that serves at least ``RIVAL_SHARE`` of what it would newly serve and breaks no limit).
    reach : scipy.sparse matrix, shape (demand cells, candidates)
    weight : ndarray, shape (demand cells,)
    params : SelectionParams
        Limits on number, budget and spacing, and the least gain that is worth a site.

    Returns
    -------
    Selection
        Equal score: the lower preference loses, then the dearer site, then the later id. ``upper_bound`` bounds the
        demand that ANY choice within the limits on number and budget can serve; spacing and venues are left out of it,
        which keeps it valid.

    Raises
    ------
    ModelError
        Wrong shapes, weights or costs.

    Examples
    --------
    A roof that serves three people gives way to a school that serves all but the last of them:

    >>> sites = pd.DataFrame({"cost_yuan": 1.0, "preference": 1.0, "x": [0.0, 200.0], "y": 0.0, "tier": [4, 3]},
    ...                      index=["roof", "school"])
    >>> reach = sp.csc_matrix(np.array([[1, 1], [1, 1], [1, 0]]))
    >>> limits = SelectionParams(max_sites=1, min_gain=0)
    >>> select_sites(sites, reach, np.array([4.0, 4.0, 1.0]), limits).site_ids
    ('school',)
    >>> select_sites(sites, reach, np.array([4.0, 4.0, 3.0]), limits).site_ids
    ('roof',)
    """
    matrix, weights = checked_problem(reach, weight)
    checked_candidates(candidates, matrix)
    run = run_greedy(candidates, matrix, weights, params)
    cost = candidates["cost_yuan"].to_numpy(dtype=float)
    covered = float(np.sum(run.gains))
    count = len(run.rows) if run.stopped in ("min_gain", "too_dear") else params.max_sites
    bound, multipliers = proved_bound(matrix, weights, covered, count, cost, params.budget_yuan)
    names = tuple(map(str, candidates.index))
    barred = {names[row]: (reason, names[other] if other >= 0 else "") for row, (reason, other) in run.barred.items()}
    return Selection(tuple(names[row] for row in run.rows), run.gains, float(cost[run.rows].sum()), covered, bound,
                     matrix, weights, names, multipliers, run.stopped, count, barred,
                     {names[row]: number for row, number in run.barred_after.items()},
                     candidates[["x", "y"]].to_numpy(dtype=float))

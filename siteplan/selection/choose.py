"""Choose sites among the candidates of a plan: limits, preference for free public venues, proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.params import SelectionParams
from siteplan.selection.give_way import FREE, POLE, PRIVATE, PUBLIC, Neighbourhood, give_way
from siteplan.selection.infeasible import plan_error
from siteplan.selection.lexicographic import fewest_private
from siteplan.selection.methods.greedy import greedy_order
from siteplan.selection.methods.solve import CLOSED, solve
from siteplan.selection.model import Answer, Effort
from siteplan.selection.model.count import value_of
from siteplan.selection.serving import fresh_weights, new_weights, serve
from siteplan.selection.standing import Standing, blocked_by, blocked_in_years
from siteplan.selection.task import Task, Wishes, task_of

if TYPE_CHECKING:
    from siteplan.selection.money import MoneyCurve
    from siteplan.selection.preference import PreferencePrice
    from siteplan.selection.stability import Stability

STOPS = ("budget", "quota", "min_gain", "too_dear", "spacing")
"""Why a plan has no further site, the most telling first; see :attr:`Selection.stopped`."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Selection:
    """Sites chosen for a plan, and how good the choice is.

    Attributes
    ----------
    site_ids : tuple of str
        By year, and in each year in the order in which they add most.
    gains : ndarray
        Weight newly served by each in that order (whatever the preference says).
    years : tuple of int
        Year in which each is built; 0 without phases.
    cost_yuan : float
        Cost of all of them.
    covered : float
        Weight served in the end.
    value, upper_bound : float
        What the objective comes to, and a bound on what any choice within the same limits can come to.
    task : Task
        The question: candidates, reach, weights, limits, problem.
    answer : Answer
        Status, proof and multipliers; its choice is that before private sites gave way.
    status : str
        ``optimal`` or ``feasible``.
    stopped : str
        Why there is no further site: ``max_sites``, ``budget``, ``quota``, ``min_gain``, ``too_dear``, ``spacing``,
        ``no_gain``.
    barred : mapping of str to (str, str)
        Why each candidate that was not chosen is not in: ``spacing``, ``venue`` (with the chosen site in the way),
        ``no_gain``, ``min_gain``, ``too_dear``, ``max_sites``, ``budget``, or the name of a quota; "" where another
        choice was simply worth more.
    given : mapping of str to str
        Candidate that gave way -> site of a better owner that was chosen instead of it.
    price : PreferencePrice or None
        What it costs or saves that free venues are favoured, where that was compared.
    money : MoneyCurve or None
        Coverage by money, where that was drawn.
    stability : Stability or None
        How the choice changes when the data are a little off, where that was tried.
    """

    site_ids: tuple[str, ...]
    gains: np.ndarray
    years: tuple[int, ...]
    cost_yuan: float
    covered: float
    value: float
    upper_bound: float
    task: Task
    answer: Answer
    status: str
    stopped: str
    barred: Mapping[str, tuple[str, str]]
    given: Mapping[str, str] = field(default_factory=dict)
    price: PreferencePrice | None = None
    money: MoneyCurve | None = None
    stability: Stability | None = None

    @property
    def optimality_gap(self) -> float:
        """``(upper_bound - value) / |value|``; 0 when nothing better can be, inf where nothing is proved."""
        return replace(self.answer, value=self.value, bound=self.upper_bound).gap

    @property
    def reach(self) -> sp.csc_matrix:
        """Demand cells x candidates, 1 where the candidate serves the cell."""
        return self.task.matrix

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weight per demand cell."""
        return self.task.weight

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        """Columns of ``reach``."""
        return self.task.problem.names

    @property
    def xy(self) -> NDArray[np.float64]:
        """Where the candidates are, m, shape (candidates, 2)."""
        return self.task.xy

    @property
    def chosen(self) -> NDArray[np.int64]:
        """Numbers of the chosen candidates in the order of ``site_ids``."""
        place = {site: number for number, site in enumerate(self.candidate_ids)}
        return np.array([place[site] for site in self.site_ids], dtype=np.int64)


def rank(task: Task, chosen: NDArray[np.int64], stage: NDArray[np.int32]) -> NDArray[np.int64]:
    """Positions in ``chosen`` by stage, and in each in the order in which greedy would take them."""
    base = replace(task.problem, weight=task.levels.weight)
    if not task.problem.weight.any():
        base = replace(base, bonus=np.zeros(len(base)))
    position = {int(candidate): number for number, candidate in enumerate(chosen)}
    found: list[int] = []
    for number in np.unique(stage):
        mine = np.sort(chosen[stage == number])
        order, _ = greedy_order(base, mine)
        rest = mine[~np.isin(mine, order)]
        found += [position[int(candidate)] for candidate in (*order, *rest)]
        base = replace(base, weight=np.where(base.reach.served(mine) > 0, 0.0, base.weight))
    return np.array(found, dtype=np.int64)


def reasons_not(task: Task, chosen: NDArray[np.int64], stage: NDArray[np.int32]) -> dict[str, tuple[str, str]]:
    """Why each candidate outside of the plan is not in it, see :attr:`Selection.barred`."""
    problem, names = task.problem, task.problem.names
    if not len(names):
        return {}
    standing = Standing(problem, np.sort(chosen))
    limit, others = blocked_by(standing)
    if problem.stages:
        yearly = blocked_in_years(problem, chosen, stage)
        limit = np.where(limit == "", yearly, limit)
    service, best = task.levels.service, task.levels.already.copy()
    for column in chosen:
        serve(service, column, best)
    fresh = fresh_weights(service, task.weight, best)
    dear = task.cost > fresh * task.params.max_yuan_per_gain * (1 + _ROUNDING)
    words = {"max_sites": "max_sites", "budget_yuan": "budget"}
    found: dict[str, tuple[str, str]] = {}
    for column in np.flatnonzero(~standing.taken):
        by, other = str(limit[column]), int(others[column])
        if by in ("near", "group"):
            found[names[column]] = ("spacing" if by == "near" else "venue", names[other])
        elif fresh[column] <= 0:
            found[names[column]] = ("no_gain", "")
        elif fresh[column] < task.params.min_gain:
            found[names[column]] = ("min_gain", "")
        elif dear[column]:
            found[names[column]] = ("too_dear", "")
        else:
            found[names[column]] = (words.get(by, by), "")
    return found


def _stopped(task: Task, chosen: NDArray[np.int64], barred: Mapping[str, tuple[str, str]]) -> str:
    if len(chosen) >= task.params.max_sites:
        return "max_sites"
    told = {"spacing" if reason == "venue" else reason for reason, _ in barred.values()}
    known = {*STOPS, "no_gain", "max_sites", "barred", ""}
    found = {reason if reason in known else "quota" for reason in told}
    return next((reason for reason in STOPS if reason in found), "no_gain")


def select_sites(candidates: pd.DataFrame, reach: sp.spmatrix, weight: np.ndarray, params: SelectionParams,
                 wishes: Wishes | None = None) -> Selection:
    """Choose sites among candidates within every limit, free public venues favoured, and prove how good the choice is.

    Parameters
    ----------
    candidates : DataFrame
        Index ``site_id``, one row per column of ``reach`` in that order; columns ``cost_yuan`` (>= 0), ``preference``
        (0..1: how much of what a site serves counts), ``x``, ``y`` (m). Optional: ``spacing_m`` (two chosen sites are
        at least the smaller of both apart, m), ``venue`` (of candidates with the same one, at most one is chosen; "" =
        none), ``stations`` (base stations it carries, 1 where absent), columns that quotas ask for (``county``,
        ``department``, ...), ``must_open`` or, without it, ``tier`` (see :func:`siteplan.selection.task.is_public`: a
        private site gives way to a public one within ``give_way_m`` that serves at least ``give_way_share`` of what it
        would newly serve and breaks no limit).
    reach : scipy.sparse matrix, shape (demand cells, candidates)
        Not 0 where the candidate serves the cell; with ``probability_weighted`` the probability, 0..1.
    weight : ndarray, shape (demand cells,)
    params : SelectionParams
    wishes : Wishes, optional
        Floors, mandatory sites, years, existing sites.

    Returns
    -------
    Selection
        Of equal choices the one with better preference, then cheaper, then of lower id. The bound holds for ANY choice
        within the limits; that sites give way to better owners is left out of it, which keeps it valid.

    Raises
    ------
    ModelError
        Wrong shapes, weights, costs, quotas: all of them, with the rows.
    PlanError
        No plan meets every limit: which conflict, what to relax and by how much.

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
    task = task_of(candidates, reach, weight, params, wishes)
    effort = Effort(seed=params.seed, seconds=params.seconds)
    if params.preference_mode == "lexicographic" and params.objective == "coverage":
        task, answer = fewest_private(task, effort)
    else:
        answer = solve(task.problem, params.method, effort)
    if answer.status not in ("optimal", "feasible"):
        raise plan_error(task, answer, effort)
    return finished(task, answer)


def owners(task: Task) -> NDArray[np.int8]:
    """Kind of owner of each candidate, see :class:`siteplan.selection.give_way.Neighbourhood`."""
    table, public = task.candidates, task.public
    free = table["must_be_free"].to_numpy(dtype=bool) if "must_be_free" in table else np.zeros(len(table), dtype=bool)
    venue = table["source"].isin(["facility", "ground"]) if "source" in table else pd.Series(False, table.index)
    found = np.where(public, np.where(venue.to_numpy(dtype=bool), PUBLIC, POLE), PRIVATE)
    return np.where(public & free, FREE, found).astype(np.int8)


def gave_way(task: Task, answer: Answer) -> tuple[NDArray[np.int64], NDArray[np.int32], Mapping[int, int]]:
    """The choice of an answer after sites gave way to better owners, see :mod:`siteplan.selection.give_way`."""
    params = task.params
    if params.objective != "coverage" or params.preference_mode not in ("factor", "cost", "floor"):
        return answer.chosen, answer.stage, {}
    around = Neighbourhood(task.levels.service, task.levels.already, task.weight, task.xy, owners(task), task.least,
                           params.give_way_m, params.give_way_share)
    return give_way(task.problem, answer.chosen, answer.stage, around, lambda *plan: rank(task, *plan))


def finished(task: Task, answer: Answer) -> Selection:
    """A selection from an answer: private sites give way, sites are ranked, everything is counted again."""
    problem = task.problem
    chosen, stage, given = gave_way(task, answer)
    order = rank(task, chosen, stage) if len(chosen) else np.zeros(0, dtype=np.int64)
    ranked, names = chosen[order], problem.names
    gains = new_weights(task.levels.service, task.weight, ranked, task.levels.already)
    value = value_of(problem, chosen, stage if problem.stages else None)
    bound = max(answer.bound, value)
    closed = bound - value <= CLOSED * max(abs(value), 1e-300)
    proved = answer.status == "optimal" and not given
    barred = reasons_not(task, chosen, stage)
    years = [problem.stages[number].year if problem.stages else 0 for number in stage[order]]
    return Selection(
        tuple(names[number] for number in ranked), gains, tuple(years), float(task.cost[ranked].sum()),
        float(gains.sum()), value, bound, task, answer, "optimal" if proved or closed else "feasible",
        _stopped(task, chosen, barred), barred, {names[out]: names[into] for out, into in given.items()})

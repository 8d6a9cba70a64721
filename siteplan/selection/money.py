"""Coverage by money: what the next yuan brings, where it begins to bring little, and what no plan can exceed."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.selection.choose import Selection
from siteplan.selection.methods.bound import prove
from siteplan.selection.model import Effort, Row
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix
from siteplan.selection.serving import new_weights
from siteplan.selection.standing import Standing
from siteplan.selection.task import Task

PROOF_SHARES = (0.02, 0.06, 0.2, 1.0)
"""Shares of the money of the whole curve at which a bound is worked out; each holds for every other sum too."""
PROOF_PASSES = 120


@dataclass(frozen=True)
class MoneyCurve:
    """What each sum of money can bring.

    Attributes
    ----------
    table : DataFrame
        A row for every number of sites from 0 in the order of most newly served weight for the money: ``step, site_id,
        cost_yuan, served_weight, served_demand, gap_share`` (of the weight of all cells), all but ``site_id`` summed up
        to there; ``upper_weight``: no choice of the same candidates for as much money serves more.
    knee : int
        Step from which on money brings much less: the point farthest above the chord of the curve (Satopaa et al.
        2011, "Finding a kneedle in a haystack"); 0 where the curve is straight or empty.
    """

    table: pd.DataFrame
    knee: int


def money_curve(selection: Selection, demand: NDArray[np.float64]) -> MoneyCurve:
    """Coverage by money, whatever number of sites or budget the plan has.

    Spacing and "one of a venue" hold; number, budget, quotas and the least worth of a site do not, for the curve shows
    what more or less of them would bring. Mandatory sites come first. Tiers do not count.

    Parameters
    ----------
    selection : Selection
    demand : ndarray, shape (demand cells,)
        Plain demand per cell.

    Raises
    ------
    ModelError
        A demand of another shape.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.params import SelectionParams
    >>> from siteplan.selection.choose import select_sites
    >>> sites = pd.DataFrame({"cost_yuan": [2.0, 1.0], "preference": 1.0, "x": [0.0, 900.0], "y": 0.0, "tier": 1},
    ...                      index=["mast", "pole"])
    >>> reach = sp.csc_matrix(np.array([[1, 0], [1, 0], [0, 1]]))
    >>> plan = select_sites(sites, reach, np.array([2.0, 3.0, 4.0]), SelectionParams(max_sites=1, min_gain=0))
    >>> curve = money_curve(plan, np.ones(3))
    >>> curve.table[["site_id", "cost_yuan", "served_weight"]].values.tolist()
    [['', 0.0, 0.0], ['pole', 1.0, 4.0], ['mast', 3.0, 9.0]]
    """
    task = selection.task
    if np.shape(demand) != task.weight.shape:
        raise ModelError(f"demand has shape {np.shape(demand)}, weight {task.weight.shape}: one number per cell")
    order = _by_money(task)
    cost = np.r_[0.0, np.cumsum(task.cost[order])]
    served = np.r_[0.0, np.cumsum(new_weights(task.matrix, task.weight, order))]
    total = float(task.weight.sum())
    table = pd.DataFrame({
        "step": np.arange(len(order) + 1), "site_id": ["", *(task.problem.names[column] for column in order)],
        "cost_yuan": cost, "served_weight": served,
        "served_demand": np.r_[0.0, np.cumsum(new_weights(task.matrix, np.asarray(demand), order))],
        "gap_share": served / total if total > 0 else 0.0 * served, "upper_weight": _upper(task, cost, served)})
    return MoneyCurve(table, knee_of(cost, served))


def _by_money(task: Task) -> NDArray[np.int64]:
    """Candidates by newly served weight for each yuan; stale values are upper bounds (Minoux 1978)."""
    problem, matrix = task.problem, task.matrix
    neighbours, members = Standing(problem, np.zeros(0, dtype=np.int64)).neighbours
    left, shut, venues = task.weight.copy(), problem.barred.copy(), set[int]()
    rate = 1.0 / np.maximum(task.cost, 1.0)
    heap = [(-np.inf if problem.locked[column] else -value, column)
            for column, value in enumerate((matrix.T @ task.weight) * rate) if value > 0 or problem.locked[column]]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap:
        key, column = heapq.heappop(heap)
        if (shut[column] or problem.group[column] in venues) and not problem.locked[column]:
            continue
        cells = matrix.indices[matrix.indptr[column]:matrix.indptr[column + 1]]
        value = float(left[cells].sum()) * rate[column]
        if np.isfinite(key):
            if value <= 0:
                continue
            if heap and (-value, column) > heap[0]:
                heapq.heappush(heap, (-value, column))
                continue
        chosen.append(column)
        left[cells] = 0.0
        shut[members[neighbours[column]:neighbours[column + 1]]] = True
        if problem.group[column] >= 0:
            venues.add(int(problem.group[column]))
    return np.array(chosen, dtype=np.int64)


def _upper(task: Task, cost: NDArray[np.float64], served: NDArray[np.float64]) -> NDArray[np.float64]:
    """No choice for as much money serves more: the least over some multipliers of what they allow."""
    most = np.full(len(cost), float(served[-1]) if len(served) else 0.0)
    reachable = float(task.weight[np.diff(task.matrix.tocsr().indptr) > 0].sum())
    most = np.maximum(most, reachable)
    if len(cost) < 2 or cost[-1] <= 0:
        return np.maximum(most, served)
    reach, everyone = reach_of_matrix(task.matrix), np.arange(len(task.cost), dtype=np.int32)
    for share in PROOF_SHARES:
        purse = Row("budget_yuan", everyone, task.cost, most=share * float(cost[-1]))
        problem = cover_problem(reach, task.weight, rows=(purse,))
        found = prove(replace(problem, near=task.problem.near, group=task.problem.group), Effort(passes=PROOF_PASSES))
        multiplier = np.clip(found.multipliers.cells, 0.0, task.weight)
        profit = reach.sums(multiplier)
        rate = np.where(task.cost > 0, profit / np.maximum(task.cost, 1e-12), np.inf)
        order = np.lexsort((np.arange(len(rate)), -rate))
        spent, won = np.cumsum(task.cost[order]), np.cumsum(profit[order])
        allowed = np.interp(cost, np.r_[0.0, spent], np.r_[float(profit[task.cost <= 0].sum()), won])
        most = np.minimum(most, float((task.weight - multiplier).sum()) + allowed)
    return np.maximum(most, served)


def knee_of(cost: NDArray[np.float64], served: NDArray[np.float64]) -> int:
    """Where a rising curve is farthest above its chord.

    >>> knee_of(np.array([0.0, 1.0, 2.0, 10.0]), np.array([0.0, 5.0, 9.0, 10.0]))
    2
    """
    if len(cost) < 3 or cost[-1] <= 0 or served[-1] <= 0:
        return 0
    above = served / served[-1] - cost / cost[-1]
    best = int(above.argmax())
    return best if above[best] > 0 else 0


def knee_sentence(curve: MoneyCurve, unit: str) -> str:
    """What a yuan brings before the knee and after it."""
    table, knee = curve.table, curve.knee
    if knee == 0:
        return "投资与服务需求近似成比例,没有明显拐点。"
    at, end = table.iloc[knee], table.iloc[-1]
    before = at["served_demand"] / max(at["cost_yuan"] / 1e4, 1e-12)
    rest = (end["cost_yuan"] - at["cost_yuan"]) / 1e4
    after = (end["served_demand"] - at["served_demand"]) / rest if rest > 0 else 0.0
    return (f"拐点在{int(at['step'])}处、{at['cost_yuan'] / 1e4:,.0f}万元:此前平均每万元新增服务{before:,.1f}{unit},"
            f"此后平均每万元{after:,.1f}{unit}。")

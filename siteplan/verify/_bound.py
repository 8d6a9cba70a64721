"""What no plan can exceed, from multipliers: any that are not negative give a valid bound, whoever found them.

With lambda for the cells, and prices for the limits, the value of every plan is at most the value of the problem whose
limits are paid for instead of held: a sum of what single cells and single candidates can be worth at best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.verify._problem import Case, Single, single
from siteplan.verify._read import BLOCK, Arrays, candidate_blocks
from siteplan.verify._recount import running


@dataclass(frozen=True)
class Bound:
    """What was counted from multipliers; ``remarks`` says which of them could not be used."""

    value: float
    remarks: tuple[str, ...]


def bound_of(case: Case) -> Bound:
    """The bound of the whole problem: the sum of those of the stages alone."""
    remarks: list[str] = []
    papers = case.papers
    given: tuple[Arrays, ...] = papers.multipliers or tuple({} for _ in case.worths)
    if not papers.multipliers:
        remarks.append("证书没有乘子,上界按全部权重计")
    value = sum(_stage_bound(case, single(case, stage), prices, remarks) for stage, prices in enumerate(given))
    return Bound(float(value), tuple(dict.fromkeys(remarks)))


def _prices(prices: Arrays, name: str, count: int, remarks: list[str]) -> NDArray[np.float64]:
    """Multipliers of one kind, none below 0; zeros where there are none or not as many as there should be."""
    found = np.asarray(prices.get(name, np.zeros(0)), dtype=np.float64).ravel()
    if len(found) != count:
        if len(found):
            remarks.append(f"乘子 {name} 有 {len(found)} 个,应为 {count} 个,未采用")
        return np.zeros(count)
    if (found < 0).any():
        remarks.append(f"乘子 {name} 有负数,按0计")
    return np.maximum(found, 0.0)


def _stage_bound(case: Case, problem: Single, prices: Arrays, remarks: list[str]) -> float:
    floors, wishes, kept = _floor_terms(case, problem, prices, remarks)
    worth = problem.weight.copy()
    worth[0] += floors
    cells = _prices(prices, "cells", worth.size, remarks).reshape(worth.shape)
    cells = np.minimum(cells, worth)  # paying more for a cell than it is worth only makes the bound weaker
    total = float((worth - cells).sum() + np.maximum(case.backup * problem.weight - cells, 0.0).sum())
    profit = problem.bonus + _reach_sums(case, running(cells))
    total += _row_terms(problem, prices, profit, remarks)
    groups = _prices(prices, "groups", int(case.venue.max(initial=-1)) + 1, remarks)
    inside = case.venue >= 0
    profit[inside] -= groups[case.venue[inside]]
    total += float(groups.sum()) + _clique_terms(case, prices, profit, remarks)
    free = ~problem.locked & ~problem.barred
    return total + wishes - kept + float(np.maximum(profit[free], 0.0).sum() + profit[problem.locked].sum())


def _reach_sums(case: Case, counted: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each candidate the sum over its cells of ``counted`` at the level of the cell, shape (candidates,)."""
    papers = case.papers
    out = np.zeros(len(papers.candidates))
    flat = counted.ravel()
    for first, end in candidate_blocks(papers.indptr):
        part = slice(int(papers.indptr[first]), int(papers.indptr[end]))
        values = flat[case.levels_of(first, end) * papers.cells + papers.indices[part]]
        starts = (papers.indptr[first:end] - papers.indptr[first]).astype(np.int64)
        some = np.diff(papers.indptr[first:end + 1]) > 0
        if some.any():
            out[first:end][some] = np.add.reduceat(values, starts[some])
    return out


def _row_terms(problem: Single, prices: Arrays, profit: NDArray[np.float64], remarks: list[str]) -> float:
    """What the limits are paid with, taken off ``profit`` in place; the constant that stays."""
    least, most = (_prices(prices, name, len(problem.sums), remarks) for name in ("rows_least", "rows_most"))
    total = 0.0
    for one, below, above in zip(problem.sums, least, most, strict=True):
        below, above = below if one.least > -np.inf else 0.0, above if one.most < np.inf else 0.0
        profit[one.members] -= (above - below) * one.amounts
        if above:
            total += above * (one.most - one.already)
        if below:
            total -= below * (one.least - one.already)
    return total


def _floor_terms(case: Case, problem: Single, prices: Arrays,
                 remarks: list[str]) -> tuple[NDArray[np.float64], float, float]:
    """What floors add to the worth of each cell; the best that wishes can be worth; what required floors take off."""
    facts = case.papers.facts
    added = np.zeros(case.papers.cells)
    if not problem.last or not facts["floors"]:
        return added, 0.0, 0.0
    price = _prices(prices, "floors", len(facts["floors"]), remarks)
    wish = _prices(prices, "wanted", len(facts["wanted"]), remarks)
    for number in np.flatnonzero(price):
        added[case.papers.floor_cells[number]] += price[number] * case.papers.floor_weights[number]
    least = np.array([float(floor["least"]) for floor in facts["floors"]])
    required = np.array([bool(floor["required"]) for floor in facts["floors"]])
    paid = np.zeros(len(least))  # what wishes pay for a floor that is reached
    for value, one in zip(wish, facts["wanted"], strict=True):
        paid[np.array(one["floors"], dtype=np.int64)] += value
    wishes = float(np.where(required, paid, np.maximum(paid - price * least, 0.0)).sum())
    wishes -= float(sum(value * one["least"] for value, one in zip(wish, facts["wanted"], strict=True)))
    return added, wishes, float((price * least)[required].sum())


def _clique_terms(case: Case, prices: Arrays, profit: NDArray[np.float64], remarks: list[str]) -> float:
    """Sets of candidates that are pairwise too near: one that is not such a set is not paid for."""
    indptr = np.asarray(prices.get("clique_indptr", np.zeros(1)), dtype=np.int64)
    members = np.asarray(prices.get("clique_members", np.zeros(0)), dtype=np.int64)
    price = _prices(prices, "cliques", len(indptr) - 1, remarks)
    count = len(case.papers.candidates)
    whole = indptr.ndim == 1 and len(indptr) and indptr[0] == 0 and (np.diff(indptr) >= 0).all()
    if not whole or indptr[-1] != len(members) or (len(members) and not 0 <= members.min() <= members.max() < count):
        remarks.append("互斥组的成员不完整,未采用")
        return 0.0
    sizes = np.diff(indptr)
    price = np.where(sizes > 0, price, 0.0)
    wrong = 0
    for size in np.unique(sizes[price > 0]):
        numbers = np.flatnonzero((sizes == size) & (price > 0))
        step = max(BLOCK // int(size * size), 1)
        for begin in range(0, len(numbers), step):
            part = numbers[begin:begin + step]
            sets = members[indptr[part][:, None] + np.arange(size)]
            bad = ~_all_near(case, sets)
            wrong += int(bad.sum())
            price[part[bad]] = 0.0
    if wrong:
        remarks.append(f"{wrong} 个互斥组中有站址并不过近,未采用")
    np.subtract.at(profit, members, np.repeat(price, sizes))
    return float(price.sum())


def _all_near(case: Case, sets: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all candidates of each set (rows) are different ones and nearer to each other than they may be."""
    one, other = np.triu_indices(sets.shape[1], 1)
    table = case.papers.candidates
    x, y = table["x"].to_numpy()[sets], table["y"].to_numpy()[sets]
    apart = np.hypot(x[:, one] - x[:, other], y[:, one] - y[:, other])
    near = apart < case.spacing_of(sets[:, one], sets[:, other])
    return np.asarray((near & (sets[:, one] != sets[:, other])).all(axis=1))

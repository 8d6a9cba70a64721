"""Lazy greedy within every limit: limits from below are priced until they are met, then the plan is mended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import Books, Bounds, Prices, choose_lazily
from siteplan.selection.methods.arrays import Desk, books_of, chosen_of, desk_of, floors_asked
from siteplan.selection.methods.repair import mend, prune, unmet
from siteplan.selection.model import Answer, Effort, Problem
from siteplan.selection.model.count import TOLERANCE, breaches, value_of

PRICE_STEPS = (0.0, 1.0, 30.0)
"""Prices of limits from below that are tried, in units of what a usual candidate brings to the objective for its
contribution to the limit."""


def greedy(problem: Problem, effort: Effort) -> Answer:
    """Choose one candidate after another, each time the one that adds most (Minoux's lazy form).

    Locked candidates stand first. Where amounts of a row differ (a budget), gain per amount and plain gain are both
    tried. Limits from below (least counts, shares, floors, wanted floors) are priced, the prices raised until the
    plan meets them; what is still missing is mended by exchanges, and what is not needed is dropped.

    Parameters
    ----------
    problem : Problem
        Without stages.
    effort : Effort
        Seed and moves of the mending.

    Returns
    -------
    Answer
        ``feasible``, or ``unknown`` with ``facts["unmet"]``: name of each limit that no plan was found for, and by
        how much it is missed.

    Raises
    ------
    ModelError
        The problem has stages.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]])))
    >>> answer = greedy(cover_problem(reach, np.array([5.0, 3.0, 4.0]), 2), Effort())
    >>> answer.status, answer.chosen.tolist(), answer.value
    ('feasible', [0, 2], 12.0)
    """
    start = time.process_time()
    return replace(greedy_on(desk_of(problem), effort), seconds=time.process_time() - start)


def greedy_on(desk: Desk, effort: Effort) -> Answer:
    """:func:`greedy` on arrays that are made already."""
    problem, looks = desk.problem, 0
    best: Answer | None = None
    nearest: tuple[float, NDArray[np.int64]] | None = None
    for price in PRICE_STEPS if _from_below(problem) else (0.0,):
        for scale, own in _scales(desk, price):
            books, bounds = books_of(desk, np.flatnonzero(problem.locked), sums=False), desk.bounds
            bounds = _asked(desk, bounds)
            looks += _choose(desk, bounds, books, _prices(desk, bounds, price, scale, own))
            missing = unmet(desk, books)
            if missing > 0 and price > 0:
                books = books_of(desk, chosen_of(books))
                mend(desk, books, effort)
                missing = unmet(desk, books)
            chosen = chosen_of(books)
            if nearest is None or missing < nearest[0]:
                nearest = (missing, chosen)
            if missing > 0:
                continue
            if price > 0:
                books = books_of(desk, chosen_of(books))
                prune(desk, books)
                chosen = chosen_of(books)
            answer = answer_of(problem, chosen, "greedy", effort, {"evaluations": looks})
            if answer.status == "feasible" and (best is None or answer.value > best.value):
                best = answer
        if best is not None:
            break
    if best is not None:
        return replace(best, facts={**best.facts, "evaluations": looks})
    found = nearest[1] if nearest else np.zeros(0, dtype=np.int64)
    return answer_of(problem, found, "greedy", effort, {"evaluations": looks})


def greedy_order(problem: Problem, chosen: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The order in which greedy would take a chosen set, and the weight that each newly serves then.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]])))
    >>> order, gains = greedy_order(cover_problem(reach, np.array([5.0, 3.0, 4.0])), np.array([0, 1]))
    >>> order.tolist(), gains.tolist()
    ([1, 0], [9.0, 3.0])
    """
    numbers = np.unique(np.asarray(chosen, dtype=np.int64))
    part = Problem(problem.reach.pick(numbers), problem.weight, problem.bonus[numbers],
                   np.zeros(len(numbers), dtype=bool), np.zeros(len(numbers), dtype=bool), problem.backup)
    desk = desk_of(part)
    books = books_of(desk, np.zeros(0, dtype=np.int64), sums=False)
    order, gains = np.zeros(len(numbers), dtype=np.int32), np.zeros(len(numbers))
    prices = Prices(np.ones(len(numbers)), 1.0, np.zeros(0), np.zeros(0))
    found, _ = choose_lazily(desk.spans, desk.terms, desk.bounds, books, prices, (part.weight, part.backup),
                             _no_floors(), (order, gains, np.ones(len(numbers), dtype=np.bool_), True))
    return numbers[order[:found]], gains[:found]


def answer_of(problem: Problem, chosen: NDArray[np.int64], method: str, effort: Effort,
              facts: dict[str, Any]) -> Answer:
    """A choice as an answer: its value recounted, ``unknown`` with what stays unmet where a limit is broken."""
    numbers = np.sort(np.asarray(chosen, dtype=np.int64))
    broken = breaches(problem, numbers)
    if broken:
        missed = {entry.name: max(entry.least - entry.has, entry.has - entry.most) for entry in broken}
        return Answer("unknown", np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), -np.inf, method=method,
                      seed=effort.seed, facts={**facts, "unmet": missed, "nearest": numbers.tolist()})
    return Answer("feasible", numbers, np.zeros(len(numbers), dtype=np.int32), value_of(problem, numbers),
                  method=method, seed=effort.seed, facts=facts)


def _from_below(problem: Problem) -> bool:
    """Whether something has to be reached, or a sum may fall as candidates come."""
    return bool(problem.floors) or any(
        np.isfinite(row.least) or bool((row.amounts < 0).any()) for row in problem.rows)


def _asked(desk: Desk, bounds: Bounds) -> Bounds:
    """Bounds with wanted floors: those that are cheapest to reach, by what a usual candidate brings to each."""
    if not desk.problem.wanted:
        return bounds
    return floors_asked(desk, books_of(desk, np.flatnonzero(desk.problem.locked), sums=False))


def _scales(desk: Desk, price: float) -> Iterator[tuple[NDArray[np.float64], float]]:
    """What scores are multiplied with, and whether the candidate's own bonus counts in them."""
    problem = desk.problem
    count = len(problem)
    yield np.ones(count), 1.0
    spent = np.zeros(count)
    for row in problem.rows:
        positive = row.amounts[row.amounts > 0]
        if np.isfinite(row.most) and (row.amounts >= 0).all() and len(positive) and np.ptp(positive) > 0:
            spent[row.candidates] += row.amounts / max(row.most - row.already, TOLERANCE)
    if (spent > 0).any():
        yield 1.0 / np.maximum(spent, 1e-3 * spent[spent > 0].min()), 1.0
    if price > 0 and (problem.bonus < 0).any():
        cost = np.maximum(-problem.bonus, 0.0)
        yield 1.0 / np.maximum(cost, 1e-3 * cost[cost > 0].min()), 0.0


def _prices(desk: Desk, bounds: Bounds, price: float, scale: NDArray[np.float64], own: float) -> Prices:
    """Prices of all limits from below, by what usual candidates bring to the objective and to the limit."""
    problem = desk.problem
    worth = problem.reach.sums(problem.weight) + np.abs(problem.bonus)
    usual = float(worth[worth > 0].mean()) if (worth > 0).any() else 1.0
    row_price = np.zeros(len(problem.rows))
    for number in range(len(problem.rows)):
        if np.isfinite(bounds.row_least[number]):
            row_price[number] = price * usual / float(desk.terms.row_scale[number])
    floor_price = np.zeros(len(problem.floors))
    for number, floor in enumerate(problem.floors):
        if price > 0 and np.isfinite(bounds.floor_least[number]):
            measure = np.zeros(problem.reach.cells)
            measure[floor.cells] = floor.weights
            brings = problem.reach.sums(measure)
            brings = brings[brings > 0]
            floor_price[number] = price * usual / float(brings.mean()) if len(brings) else 0.0
    return Prices(scale, own, row_price, floor_price)


def _choose(desk: Desk, bounds: Bounds, books: Books, prices: Prices) -> int:
    """Let greedy fill the books; how often a score was computed."""
    problem = desk.problem
    count = len(problem)
    pending = np.isfinite(bounds.floor_least) & (prices.floor > 0)
    weights = np.concatenate([floor.weights for floor in problem.floors] or [np.zeros(0)]).astype(np.float64)
    floors = (pending, desk.index.floor_indptr, desk.index.floor_cells, weights)
    out = (np.zeros(count, dtype=np.int32), np.zeros(count), desk.pick, False)
    _, looks = choose_lazily(desk.spans, desk.terms, bounds, books, prices, (problem.weight, float(problem.backup)),
                             floors, out)
    return int(looks)


def _no_floors() -> tuple[NDArray[Any], ...]:
    none = np.zeros(0, dtype=np.int64)
    return np.zeros(0, dtype=np.bool_), np.zeros(1, dtype=np.int64), none, np.zeros(0)

"""Local search: exchange of one site by another, and annealing of parts of the city beside each other."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import Books, swap_pass
from siteplan.errors import ModelError
from siteplan.selection.methods.arrays import Desk, books_of, chosen_of, desk_of
from siteplan.selection.methods.compact import compacted
from siteplan.selection.methods.greedy import answer_of, greedy, greedy_on
from siteplan.selection.methods.heat import heated
from siteplan.selection.methods.repair import mend
from siteplan.selection.model import Answer, Effort, Problem

SWAP_PASSES, MANY_CELLS = 20, 2_000_000
"""Passes of swap search at most; of a problem with so many cells only as long as a pass gains 0.03 %."""

def swap(problem: Problem, effort: Effort) -> Answer:
    """Greedy, then exchanges of one site by another (or by two, or by none) as long as they help.

    Every limit is kept. Sites are tried in the order of what is lost without them, and give way to the best of all
    candidates that fit.

    Returns
    -------
    Answer
        ``feasible`` or ``unknown``, as of :func:`siteplan.selection.methods.greedy.greedy`.

    Raises
    ------
    ModelError
        The problem has stages.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]])))
    >>> problem = cover_problem(reach, np.array([3.0, 2.0, 3.0, 2.0]), 2)  # greedy takes the third first
    >>> swap(problem, Effort()).value
    10.0
    """
    start = time.process_time()
    desk = desk_of(compacted(problem))
    first = greedy_on(desk, effort)
    if first.status != "feasible":
        return replace(first, method="swap", seconds=time.process_time() - start)
    books = books_of(desk, first.chosen)
    changes = _swap_until_still(desk, books)
    answer = answer_of(problem, chosen_of(books), "swap", effort, {**first.facts, "exchanges": changes})
    return replace(answer, seconds=time.process_time() - start)


def anneal(problem: Problem, effort: Effort) -> Answer:
    """Swap search (of a large problem greedy), then annealing from its plan, see :func:`anneal_from`.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]])))
    >>> answer = anneal(cover_problem(reach, np.array([3.0, 2.0, 3.0, 2.0]), 2), Effort(moves=1000))
    >>> answer.status, answer.chosen.tolist(), answer.value
    ('feasible', [0, 1], 10.0)
    """
    start = time.process_time()
    first = swap(problem, effort) if problem.reach.cells <= MANY_CELLS else greedy(problem, effort)
    if first.status != "feasible":
        return replace(first, method="anneal", seconds=time.process_time() - start)
    return replace(anneal_from(problem, first.chosen, effort), seconds=time.process_time() - start)


def anneal_from(problem: Problem, chosen: NDArray[Any], effort: Effort,
                profit: NDArray[np.float64] | None = None) -> Answer:
    """Anneal from a plan: random exchanges, worse ones taken with a chance that falls, then swap search.

    Large problems are worked on in parts of neighbouring cells: in each round a part exchanges only candidates all of
    whose cells are its own, so parts beside each other in time touch nothing of one another, and the answer does not
    depend on how many threads there are. Room within limits is shared out among the parts of a round.

    Parameters
    ----------
    problem : Problem
        Without stages.
    chosen : ndarray of int
        A plan that keeps every limit, or nearly.
    effort : Effort
        ``seed``, ``moves`` (None: by the size), ``seconds`` and ``threads``.
    profit : ndarray, shape (candidates,), optional
        Guide from a bound: of two candidates for a place the one of greater profit is tried.

    Returns
    -------
    Answer
        Never worse than the plan it started from, when that keeps every limit.

    Raises
    ------
    ModelError
        The problem has stages, or ``profit`` does not fit it.
    """
    start = time.process_time()
    if profit is not None and len(profit) != len(problem):
        raise ModelError(f"profit has {len(profit)} entries, the problem {len(problem)} candidates")
    first, desk = answer_of(problem, np.asarray(chosen, dtype=np.int64), "anneal", effort, {}), None
    if first.status != "feasible":
        desk = desk_of(compacted(problem))
        books = books_of(desk, chosen)
        mend(desk, books, effort)
        chosen = chosen_of(books)
        first = answer_of(problem, chosen, "anneal", effort, {})
        if first.status != "feasible":
            return replace(first, seconds=time.process_time() - start)
    found = heated(problem, chosen, effort, profit)
    facts = {"moves": found.steps, "moves_made": found.made, "parts": found.parts}
    best = found.chosen
    if problem.reach.cells <= MANY_CELLS:
        desk = desk_of(compacted(problem)) if desk is None else desk
        books = books_of(desk, best)
        facts["exchanges"] = _swap_until_still(desk, books)
        best = chosen_of(books)
    answer = answer_of(problem, best, "anneal", effort, facts)
    if answer.status != "feasible" or answer.value < first.value:
        answer = replace(first, facts=facts)
    return replace(answer, cut=found.cut, seconds=time.process_time() - start)


def _worth_of(desk: Desk, books: Books) -> float:
    """Value of what is taken."""
    weight, servers = desk.problem.weight, books.servers
    second = desk.problem.backup * float(weight[servers > 1].sum()) if desk.problem.backup else 0.0
    return float(weight[servers > 0].sum()) + second + float(desk.problem.bonus[books.taken].sum())


def _swap_until_still(desk: Desk, books: Books) -> int:
    """Passes of swap search until one changes nothing, or next to nothing."""
    uneven = any(np.isfinite(row.most) and len(row.amounts) and np.ptp(row.amounts) > 0 for row in desk.problem.rows)
    excluding = len(desk.problem.near) > 0 or len(books.member) > 0
    twice = uneven or excluding or bool((desk.problem.bonus < 0).any())
    large = desk.problem.reach.cells > MANY_CELLS  # a pass over a city takes seconds
    still = (3e-4 if large else 1e-9) * _worth_of(desk, books)
    changes = 0
    for _ in range(SWAP_PASSES):
        rise, number = swap_pass(desk.spans, desk.terms, desk.bounds, books, desk.worth, desk.index,
                                 desk.pick, twice)
        changes += int(number)
        if number == 0 or rise <= still:
            break
    return changes

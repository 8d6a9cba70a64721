"""The problem as the search kernels want it: limits by candidate and by cell, books of a choice, an index of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import Books, Bounds, Index, Spans, Terms, Worth, invert, put, sum_up
from siteplan.errors import ModelError
from siteplan.selection.model import Problem

INDEX_ENTRIES = 20_000_000
"""Entries of the index of cells at most (4 bytes each): of larger problems every k-th cell is indexed."""


@dataclass(frozen=True, eq=False)
class Desk:
    """All that a search needs of one problem, made once.

    Attributes
    ----------
    problem : Problem
    spans, terms, bounds, worth, index
        See ``siteplan._kernels``.
    pick : ndarray of bool, shape (candidates,)
        May be chosen or left: neither locked nor barred.
    middle : ndarray of int64, shape (candidates,)
        A cell in the middle of each candidate's; -1 where it serves none.
    kind : ndarray of int64, shape (candidates,)
        Equal for candidates that count the same in every row.
    """

    problem: Problem
    spans: Spans
    terms: Terms
    bounds: Bounds
    worth: Worth
    index: Index
    pick: NDArray[np.bool_]
    middle: NDArray[np.int64]
    kind: NDArray[np.int64]


def desk_of(problem: Problem, step: int | None = None) -> Desk:
    """Arrays of a problem without stages.

    Parameters
    ----------
    problem : Problem
    step : int, optional
        Every ``step``-th cell is indexed; by default as dense as ``INDEX_ENTRIES`` allows.

    Raises
    ------
    ModelError
        The problem has stages, or more servers in a cell than can be counted.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> desk = desk_of(cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.ones(3), 2))
    >>> desk.terms.row_of.tolist(), desk.bounds.row_most.tolist(), desk.index.members.tolist()
    ([0, 0, 0], [2.0], [0, 1, 2])
    """
    if problem.stages:
        raise ModelError("these methods choose for one stage; a plan in stages is built by selection.methods.stages")
    reach = problem.reach
    spans = Spans(np.asarray(reach.indptr, dtype=np.int64), reach.first, reach.end)
    members = len(problem)
    if members > np.iinfo(np.int16).max:
        servers = int(reach.served(np.arange(members)).max(initial=0))
        if servers > np.iinfo(np.int16).max:
            raise ModelError(f"a cell is served by {servers} candidates, more than {np.iinfo(np.int16).max}")
    terms = _terms(problem)
    bounds = Bounds(np.array([row.least - row.already for row in problem.rows], dtype=np.float64),
                    np.array([row.most - row.already for row in problem.rows], dtype=np.float64),
                    np.array([floor.least if floor.required else -np.inf for floor in problem.floors],
                             dtype=np.float64),
                    np.array([floor.least for floor in problem.floors], dtype=np.float64),
                    np.array([wish.least for wish in problem.wanted], dtype=np.int64),
                    np.concatenate([[0], np.cumsum([len(wish.floors) for wish in problem.wanted])]).astype(np.int64),
                    np.array([number for wish in problem.wanted for number in wish.floors], dtype=np.int64))
    middle = np.full(members, -1, dtype=np.int64)
    some = np.diff(spans.indptr) > 0
    at = (spans.indptr[:-1] + spans.indptr[1:])[some] // 2
    middle[some] = (spans.first[at].astype(np.int64) + spans.end[at] - 1) // 2
    greatest = float(problem.reach.sums(problem.weight).max(initial=0.0))
    greatest += float(np.abs(problem.bonus).max(initial=0.0))
    worth = Worth(problem.weight.astype(np.float32), float(problem.backup), 1e4 * max(greatest, 1e-9))
    return Desk(problem, spans, terms, bounds, worth, _index(problem, spans, step), ~problem.locked & ~problem.barred,
                middle, _kinds(problem))


def books_of(desk: Desk, chosen: NDArray[Any], sums: bool = True) -> Books:
    """Books in which these candidates are taken; with the running sums that exchanges go by."""
    problem = desk.problem
    numbers = np.unique(np.asarray(chosen, dtype=np.int64))
    taken = np.zeros(len(problem), dtype=np.bool_)
    groups = int(problem.group.max(initial=-1)) + 1
    size = problem.reach.cells if sums else 0
    books = Books(taken, np.zeros(problem.reach.cells, dtype=np.int16), np.zeros(len(problem.rows)),
                  np.full(groups, -1, dtype=np.int32), np.zeros(len(problem.floors)),
                  np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32))
    for candidate in numbers:
        put(desk.spans, desk.terms, books, int(candidate), 1)
    if sums:
        sum_up(desk.worth, books)
    return books


def chosen_of(books: Books) -> NDArray[np.int64]:
    """Candidates that are taken, ascending."""
    return np.flatnonzero(books.taken).astype(np.int64)


def floors_asked(desk: Desk, books: Books) -> Bounds:
    """Bounds in which the wanted floors that are nearest to being met are asked for as well.

    Of a wish for at least so many of its floors, those with the least share missing; of equal ones the lower number.
    """
    problem = desk.problem
    if not problem.wanted:
        return desk.bounds
    least = np.array([floor.least for floor in problem.floors])
    asked = desk.bounds.floor_least.copy()
    possible = np.array([float(floor.weights.sum()) for floor in problem.floors]) >= least
    missing = (least - books.served) / np.maximum(np.abs(least), 1e-300)
    for wish in problem.wanted:
        numbers = np.asarray(wish.floors, dtype=np.int64)
        order = np.lexsort((numbers, missing[numbers], ~possible[numbers]))
        nearest = numbers[order[:wish.least]]
        asked[nearest] = least[nearest]
    none = np.zeros(0, dtype=np.int64)
    return desk.bounds._replace(floor_least=asked, wish_least=none, wish_floors=none)


def _terms(problem: Problem) -> Terms:
    count = len(problem)
    owner = np.concatenate([row.candidates for row in problem.rows] or [np.zeros(0, dtype=np.int32)])
    row_of = np.repeat(np.arange(len(problem.rows), dtype=np.int32), [len(row.candidates) for row in problem.rows])
    amount = np.concatenate([row.amounts for row in problem.rows] or [np.zeros(0)]).astype(np.float64)
    order = np.lexsort((row_of, owner))
    near = np.asarray(problem.near, dtype=np.int32).reshape(-1, 2)
    near_owner = np.concatenate([near[:, 0], near[:, 1]])
    near_other = np.concatenate([near[:, 1], near[:, 0]])
    near_order = np.lexsort((near_other, near_owner))
    group = problem.group if len(problem.group) == count else np.full(count, -1, dtype=np.int32)
    floor_indptr, floor_of, floor_weight = _floors_by_cell(problem)
    return Terms(
        problem.bonus.astype(np.float64), _indptr(owner, count), row_of[order], amount[order],
        np.array([bool((row.amounts >= 0).all()) for row in problem.rows], dtype=np.bool_),
        np.array([_scale(row.amounts) for row in problem.rows]), np.asarray(group, dtype=np.int32),
        _indptr(near_owner, count), near_other[near_order], floor_indptr, floor_of, floor_weight,
        np.array([_scale(floor.weights) for floor in problem.floors]))


def _floors_by_cell(problem: Problem) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    if not problem.floors:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0)
    cells = np.concatenate([floor.cells for floor in problem.floors])
    floor_of = np.repeat(np.arange(len(problem.floors), dtype=np.int32), [len(floor.cells) for floor in problem.floors])
    weights = np.concatenate([floor.weights for floor in problem.floors])
    order = np.argsort(cells, kind="stable")
    return _indptr(cells, problem.reach.cells), floor_of[order], weights[order].astype(np.float64)


def _indptr(owner: NDArray[Any], count: int) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))]).astype(np.int64)


def _scale(amounts: NDArray[np.float64]) -> float:
    """A usual amount: how far off a limit is gets told in it."""
    sizes = np.abs(amounts[amounts != 0])
    return float(sizes.mean()) if len(sizes) else 1.0


def _index(problem: Problem, spans: Spans, step: int | None) -> Index:
    cells = problem.reach.cells
    if step is None:
        step = max(1, -(-int(problem.reach.counts.sum()) // INDEX_ENTRIES))
    indptr = np.zeros(max(cells - 1, 0) // step + 3, dtype=np.int64)
    invert(spans, step, indptr, np.zeros(0, dtype=np.int32))
    members = np.zeros(int(indptr[-1]), dtype=np.int32)
    if len(members):
        invert(spans, step, indptr, members)
    rows, floors = problem.rows, problem.floors
    return Index(
        step, indptr[:-1], members,
        np.concatenate([[0], np.cumsum([len(row.candidates) for row in rows])]).astype(np.int64),
        np.concatenate([row.candidates for row in rows] or [np.zeros(0, dtype=np.int32)]).astype(np.int32),
        np.concatenate([[0], np.cumsum([len(floor.cells) for floor in floors])]).astype(np.int64),
        np.concatenate([floor.cells for floor in floors] or [np.zeros(0, dtype=np.int64)]).astype(np.int64))


def _kinds(problem: Problem) -> NDArray[np.int64]:
    """Classes of candidates that count the same in every row."""
    kind = np.zeros(len(problem), dtype=np.int64)
    for row in problem.rows:
        amounts = np.zeros(len(problem))
        amounts[row.candidates] = row.amounts
        values, which = np.unique(amounts, return_inverse=True)
        if len(values) > 1:
            kind = np.unique(kind * len(values) + which, return_inverse=True)[1].astype(np.int64)
    return kind

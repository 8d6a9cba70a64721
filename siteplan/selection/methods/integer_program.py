"""The problem of selection as an integer program in sparse arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.selection.methods.cliques import cliques_of
from siteplan.selection.model import Floor, Problem, Row, Stage
from siteplan.selection.model.count import TOLERANCE

_LARGE = 1024.0


@dataclass(frozen=True, eq=False)
class Program:
    """Maximise ``cost . v`` within ``least <= matrix v <= most`` and ``lower <= v <= upper``.

    Variables, in this order: for each stage, y of each candidate (1 = stands at the end of that stage, whole numbers);
    for each stage z of each cell (served) and, with a backup, z2 (served twice); for each floor that is wanted, u (1 =
    reached). Without stages there is one.

    Attributes
    ----------
    cost, lower, upper : ndarray of float64, shape (variables,)
    whole : ndarray of bool, shape (variables,)
        Whole numbers.
    matrix : csr_matrix, shape (rows, variables)
    least, most : ndarray of float64, shape (rows,)
    cells : tuple of int
        First z of each stage; -1 where service does not count in it.
    wishes : mapping of int
        u of each floor that is wanted.
    """

    cost: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    whole: NDArray[np.bool_]
    matrix: sp.csr_matrix
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    cells: tuple[int, ...]
    wishes: dict[int, int]


class _Rows:
    """Rows of a matrix as they come."""

    def __init__(self) -> None:
        self.parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self.least: list[NDArray[Any]] = []
        self.most: list[NDArray[Any]] = []
        self.count = 0

    def add(self, columns: Sequence[NDArray[Any]], values: Sequence[Any], least: float, most: float) -> None:
        """One row; each entry of ``values`` is a number or an array beside its columns."""
        column = np.concatenate([np.asarray(part, dtype=np.int64) for part in columns])
        value = np.concatenate([np.broadcast_to(np.asarray(part, dtype=np.float64), np.shape(where))
                                for part, where in zip(values, columns, strict=True)])
        self.add_all(np.zeros(len(column), dtype=np.int64), column, value, np.array([least]), np.array([most]))

    def add_all(self, rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], least: NDArray[Any],
                most: NDArray[Any]) -> None:
        """Several rows, numbered from 0."""
        self.parts.append((rows + self.count, columns, values))
        self.least.append(least)
        self.most.append(most)
        self.count += len(least)

    def matrix(self, variables: int) -> sp.csr_matrix:
        rows, columns, values = (np.concatenate([part[k] for part in self.parts]) for k in range(3))
        found = sp.coo_matrix((values, (rows, columns)), shape=(self.count, variables)).tocsr()
        found.eliminate_zeros()
        return found


def integer_program(problem: Problem) -> Program:
    """Variables and rows of a problem; its cells should be merged before.

    A cell is served as often as its candidates stand: ``z + z2 <= sum y``. What stands stays: ``y_t <= y_{t + 1}``.
    Sides of rows give way by half of the tolerance that counting grants, or are whole where all amounts are.
    """
    sites, years = len(problem), problem.stages or (Stage(0, 1.0),)
    last = sites * (len(years) - 1)
    floors_at = len(years) - 1 if problem.floors else -1
    blocks = 2 if problem.backup > 0 else 1
    free = sites * len(years)
    cells: list[int] = []
    for number, year in enumerate(years):
        counts = year.worth > 0 and bool((problem.weight > 0).any())
        cells.append(free if counts or number == floors_at else -1)
        free += problem.reach.cells * blocks if cells[-1] >= 0 else 0
    wished = sorted({number for wish in problem.wanted for number in wish.floors})
    wishes = {number: free + place for place, number in enumerate(wished)}
    variables = free + len(wished)
    cost, whole = np.zeros(variables), np.zeros(variables, dtype=bool)
    whole[:sites * len(years)] = whole[free:] = True
    cost[last:last + sites] = problem.bonus
    for at, year in zip(cells, years, strict=True):
        for block in range(blocks if at >= 0 else 0):
            part = slice(at + block * problem.reach.cells, at + (block + 1) * problem.reach.cells)
            cost[part] = problem.weight * (year.worth * (problem.backup if block else 1.0))
    rows = _Rows()
    _add_service(rows, problem, cells, blocks)
    _add_limits(rows, problem, last)
    _add_floors(rows, problem, cells[-1], wishes)
    for number, year in enumerate(problem.stages):
        _add_year(rows, year, number, sites)
    lower, upper = _bounds_of_sites(problem, rows, variables)
    rows.add([np.zeros(0)], [np.zeros(0)], -np.inf, np.inf)  # never without a row
    return Program(cost, lower, upper, whole, rows.matrix(variables), np.concatenate(rows.least),
                   np.concatenate(rows.most), tuple(cells), wishes)


def _add_service(rows: _Rows, problem: Problem, cells: Iterable[int], blocks: int) -> None:
    matrix, count = problem.reach.matrix().tocoo(), problem.reach.cells
    for number, at in enumerate(cells):
        if at < 0:
            continue
        own = [np.arange(count)] * blocks
        rows.add_all(np.concatenate([*own, matrix.row]),
                     np.concatenate([*(at + block * count + own[block] for block in range(blocks)),
                                     matrix.col + number * len(problem)]),
                     np.concatenate([np.ones(count * blocks), -matrix.data]), np.full(count, -np.inf), np.zeros(count))


def _add_limits(rows: _Rows, problem: Problem, last: int) -> None:
    """Rows, groups and pairs over all that is chosen."""
    for row in problem.rows:
        _add_row(rows, row, last)
    named = np.flatnonzero(problem.group >= 0)
    order = named[np.argsort(problem.group[named], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(problem.group[order])) + 1):
        if len(members) > 1:
            rows.add([last + members], [1.0], -np.inf, 1.0)
    indptr, own = cliques_of(problem)  # one row for each is tighter than one for each pair
    for clique in np.split(own.astype(np.int64), indptr[1:-1]):
        if len(clique):
            rows.add([last + clique], [1.0], -np.inf, 1.0)


def _add_year(rows: _Rows, year: Stage, number: int, sites: int) -> None:
    for row in year.on_air:
        _add_row(rows, row, number * sites)
    for row in year.new:
        _add_row(rows, row, number * sites, (number - 1) * sites if number else None)
    if number:
        own = np.arange(sites)
        rows.add_all(np.tile(own, 2), np.concatenate([own + (number - 1) * sites, own + number * sites]),
                     np.repeat([1.0, -1.0], sites), np.full(sites, -np.inf), np.zeros(sites))


def _add_row(rows: _Rows, row: Row, at: int, before: int | None = None) -> None:
    """A limit on candidates from variable ``at`` on, less those from ``before`` on."""
    least, most = _sides(row)
    scale = _power_of_two(row.amounts) if np.abs(row.amounts).max(initial=0.0) > _LARGE else 1.0
    amounts = row.amounts * scale
    columns, values = [at + row.candidates.astype(np.int64)], [amounts]
    if before is not None:
        columns, values = [*columns, before + row.candidates.astype(np.int64)], [*values, -amounts]
    rows.add(columns, values, least * scale, most * scale)


def _sides(row: Row) -> tuple[float, float]:
    finite = [abs(side) for side in (row.least, row.most) if np.isfinite(side)]
    room = TOLERANCE * max([1.0, *finite]) / 2
    least, most = row.least - row.already - room, row.most - row.already + room
    if (row.amounts == np.rint(row.amounts)).all():
        return float(np.ceil(least)), float(np.floor(most))
    return least, most


def _power_of_two(values: NDArray[Any]) -> float:
    """A power of two that brings the greatest value to between 512 and 1024; exact in float64."""
    greatest = float(np.abs(values).max(initial=0.0))
    return float(2.0 ** (10 - np.frexp(greatest)[1])) if greatest else 1.0


def _add_floors(rows: _Rows, problem: Problem, at: int, wishes: dict[int, int]) -> None:
    for number, floor in enumerate(problem.floors):
        least = floor.least - TOLERANCE * max(1.0, abs(floor.least)) / 2
        scale = _power_of_two(np.append(floor.weights, 0.0))
        if floor.required:
            rows.add([at + floor.cells], [floor.weights * scale], least * scale, np.inf)
        if number in wishes:
            _add_wish(rows, floor, at, wishes[number], (least, scale))
    for wish in problem.wanted:
        rows.add([np.array([wishes[number] for number in wish.floors], dtype=np.int64)], [1.0], wish.least, np.inf)


def _add_wish(rows: _Rows, floor: Floor, at: int, variable: int, side: tuple[float, float]) -> None:
    """The floor counts (u = 1) only when it is reached."""
    least, scale = side
    rows.add([at + floor.cells, np.array([variable])], [floor.weights * scale, -max(least, 0.0) * scale], 0.0, np.inf)


def _bounds_of_sites(problem: Problem, rows: _Rows, variables: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lower, upper = np.zeros(variables), np.ones(variables)
    sites, years = len(problem), max(len(problem.stages), 1)
    fixed: NDArray[Any] = problem.built_in if problem.stages else np.full(sites, -1, dtype=np.int32)
    for number in range(years):
        part = slice(number * sites, (number + 1) * sites)
        upper[part] = ~(problem.barred | (fixed > number))
        lower[part] = problem.locked & ((number == years - 1) | ((fixed >= 0) & (fixed <= number)))
    for candidate in np.flatnonzero((fixed >= 0) & (fixed < years - 1)):
        rows.add([np.array([(years - 1) * sites + candidate, fixed[candidate] * sites + candidate])],
                 [np.array([1.0, -1.0])], -np.inf, 0.0)
    return lower, upper


def completed(program: Program, problem: Problem, chosen: NDArray[Any], stage: NDArray[Any]) -> NDArray[np.float64]:
    """Values of all variables for a choice and its stages."""
    sites, years = len(problem), max(len(problem.stages), 1)
    values = np.zeros(len(program.cost))
    count = np.zeros(problem.reach.cells, dtype=np.int32)
    for number in range(years):
        standing = np.asarray(chosen, dtype=np.int64)[np.asarray(stage) <= number]
        values[number * sites + standing] = 1.0
        count, at = problem.reach.served(standing), program.cells[number]
        if at >= 0:
            values[at:at + len(count)] = np.minimum(count, 1)
            if problem.backup > 0:
                values[at + len(count):at + 2 * len(count)] = np.minimum(np.maximum(count - 1, 0), 1)
    for number, variable in program.wishes.items():
        floor = problem.floors[number]
        has = float(floor.weights[count[floor.cells] > 0].sum())
        values[variable] = has >= floor.least - TOLERANCE * max(1.0, abs(floor.least)) / 2
    return values

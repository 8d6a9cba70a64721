"""Annealing from a plan: sites give way to neighbours, worse ones taken with a chance that falls.

Parts of a large city are worked on beside each other: in each round a part exchanges only candidates all of whose
cells are its own, so parts touch nothing of one another, and the answer does not depend on how many threads there are.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan._kernels import Beside, Books, Bounds, find_beginners, heat_part, share_weights, value_anew
from siteplan.selection.methods.arrays import Desk, books_of, desk_of, floors_asked
from siteplan.selection.methods.bound import prove
from siteplan.selection.methods.merging_cells import merge_cells
from siteplan.selection.methods.repair import unmet
from siteplan.selection.model import Effort, Problem

ROUNDS = 40
"""Rounds of annealing; the borders between parts lie elsewhere in each."""
PART_SITES, MOST_PARTS = 400, 3
"""Sites of a part at least: smaller problems are annealed in one part. Parts at most."""
HOT_SHARE, COLD_SHARE, STILL = 0.06, 0.005, 0.04
"""Temperatures at the start and at the end of annealing, as shares of a site's mean worth; what is left
of the latter in the last two rounds."""
FEW_SITES, FEW_RUNS = 30, (0.1, 0.5, 1.0)
"""Plans of few sites are annealed several times, each time hotter at the start by one of these shares over their
number: how deep their valleys are differs much."""
MORE_SITES, MORE_RUNS = 100, (0.05, 0.03, 0.03, 0.03, 0.03, 0.03)
"""Plans of some more sites likewise, at these temperatures at the start, each from the best so far."""
POOL_SITES, POOL_LEAST, POOL_BELOW, POOL_ENTRIES = 8, 600, 0.002, 200_000_000
"""With profits at hand, candidates are the best so many per site of the plan, so many at least, and all with profits
at most so far below 0 (as a share of a site's mean worth); together they serve at most so many cells."""
QUICK_PASSES = 100
"""Passes of a bound made only to tell promising candidates of a large problem."""
SITE_STEPS, MORE_STEPS, WORK, SMALL_WORK = 4000, 5400, 3e10, 6e8
"""Steps per site, of small plans more; values brought up to date in all, at most (small problems have to be quick)."""
FAR, FAR_OF_FEW, CHAIN = 0.3, 0.4, 0.9
"""Share of changes between places apart, also for plans of few sites; chance to go on beside the last change."""


@dataclass(frozen=True, eq=False)
class Table:
    """What annealing works on: promising candidates over merged cells, who is beside whom, the state of play.

    Attributes
    ----------
    desk : Desk
        Of the problem over the promising candidates.
    number : ndarray of int64
        Number of each of them in the whole problem.
    beside : Beside
    books : Books
    value : ndarray of float64
        What each candidate would bring, or leave where it is taken.
    only : ndarray of int64
        Sum of the numbers of those that serve each cell: of one server its number.
    """

    desk: Desk
    number: NDArray[np.int64]
    beside: Beside
    books: Books
    value: NDArray[np.float64]
    only: NDArray[np.int64]


@dataclass(frozen=True)
class Heated:
    """What came of annealing: the best choice met, steps, changes made, parts, what a limit of time cut short."""

    chosen: NDArray[np.int64]
    steps: int
    made: int
    parts: int
    cut: str = ""


def promising(problem: Problem, chosen: NDArray[Any], profit: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Candidates worth trying: all that may be chosen, with profits of a bound the best of them; the plan's own."""
    able = ~problem.barred
    if profit is not None:
        order = np.argsort(np.where(able, -profit, np.inf), kind="stable")
        worth = (problem.weight.sum() + np.abs(problem.bonus[chosen]).sum()) / max(len(chosen), 1)
        good = int((profit[able] >= -POOL_BELOW * worth).sum())
        room = int(np.searchsorted(np.cumsum(problem.reach.counts[order]), POOL_ENTRIES)) + 1
        able[order[min(max(POOL_SITES * len(chosen), POOL_LEAST, good), room):]] = False
    able[np.asarray(chosen, dtype=np.int64)] = True
    return np.flatnonzero(able | problem.locked)


def narrowed(problem: Problem, number: NDArray[np.int64]) -> Problem:
    """The problem over some of its candidates (ascending), cells merged as far as they allow."""
    place = np.full(len(problem), -1, dtype=np.int32)
    place[number] = np.arange(len(number), dtype=np.int32)
    keep = None
    if problem.floors:
        keep = np.zeros(problem.reach.cells, dtype=bool)
        for floor in problem.floors:
            keep[floor.cells] = True
    picked = problem.reach if len(number) == len(problem) else problem.reach.pick(number)
    reach, weight, cell_of = merge_cells(picked, problem.weight, keep)
    rows, floors = [], []
    for row in problem.rows:
        own = place[row.candidates]
        rows.append(replace(row, candidates=own[own >= 0], amounts=row.amounts[own >= 0]))
    for floor in problem.floors:
        cells = cell_of[floor.cells]
        merged, which = np.unique(cells[cells >= 0], return_inverse=True)
        total = np.bincount(which, floor.weights[cells >= 0], len(merged)).astype(np.float64)
        floors.append(replace(floor, cells=merged.astype(np.int64), weights=total))
    near = np.asarray(problem.near, dtype=np.int32).reshape(-1, 2)
    near = place[near[(place[near] >= 0).all(axis=1)]]
    group = problem.group[number] if len(problem.group) == len(problem) else problem.group
    return Problem(reach, weight, problem.bonus[number], problem.locked[number], problem.barred[number],
                   problem.backup, tuple(rows), tuple(floors), problem.wanted, group, near)


def table_of(problem: Problem, chosen: NDArray[Any], profit: NDArray[np.float64] | None) -> Table:
    """Set up annealing from a plan."""
    if profit is None and int(problem.reach.counts.sum()) > POOL_ENTRIES:
        profit = prove(problem, Effort(passes=QUICK_PASSES)).profit
    number = promising(problem, chosen, profit)
    desk = desk_of(narrowed(problem, number), 1)
    own = np.searchsorted(number, np.asarray(chosen, dtype=np.int64))
    return _set_out(desk, number, _beside(desk), own)


def _set_out(desk: Desk, number: NDArray[np.int64], beside: Beside, own: NDArray[np.int64]) -> Table:
    """The table with these of its candidates taken."""
    part, books = desk.problem, books_of(desk, own, sums=False)
    value = np.zeros(len(part))
    value_anew(desk.spans, desk.worth, books, np.arange(len(part)), value)
    steps = np.zeros(part.reach.cells + 1, dtype=np.int64)
    for one in own:
        of = slice(int(part.reach.indptr[one]), int(part.reach.indptr[one + 1]))
        steps[part.reach.first[of]] += one
        steps[part.reach.end[of]] -= one
    return Table(desk, number, beside, books, value, np.cumsum(steps[:-1]))


def _beside(desk: Desk) -> Beside:
    """Who is beside whom."""
    spans, count = desk.spans, len(desk.problem)
    owner = np.repeat(np.arange(count, dtype=np.int32), np.diff(spans.indptr))
    begins = np.concatenate([[0], np.cumsum(np.bincount(spans.first, minlength=desk.problem.reach.cells))])
    owner = owner[np.argsort(spans.first, kind="stable")]
    indptr = np.zeros(count + 1, dtype=np.int64)
    find_beginners(spans, begins, owner, indptr, np.zeros(0, dtype=np.int32))
    other = np.zeros(int(indptr[-1]), dtype=np.int32)
    if len(other):
        find_beginners(spans, begins, owner, indptr, other)
    found = sp.csr_matrix((np.ones(len(other), dtype=np.int8), other, indptr), shape=(count, count))
    found = sp.csr_matrix(found.maximum(found.T))
    found.sort_indices()
    indptr, other = found.indptr.astype(np.int64), found.indices.astype(np.int32)
    shared = np.zeros(len(other), dtype=np.float32)
    room = np.zeros(int(desk.problem.reach.counts.max(initial=0)) + 1)
    share_weights(spans, desk.worth.weight, indptr, other, shared, room)
    return Beside(indptr, other, shared)


def heated(problem: Problem, chosen: NDArray[Any], effort: Effort, profit: NDArray[np.float64] | None) -> Heated:
    """Anneal from a plan that keeps every limit; see ``anneal_from``."""
    began = time.monotonic()
    table = table_of(problem, chosen, profit)
    desk, books = table.desk, table.books
    sites = max(int((books.taken & desk.pick).sum()), 1)
    runs = FEW_RUNS if sites <= FEW_SITES else MORE_RUNS if sites <= MORE_SITES else (HOT_SHARE,)
    worth = float(problem.weight.sum() - desk.problem.weight[books.servers == 0].sum())
    mean = max(worth, float(np.abs(desk.problem.bonus[books.taken]).sum()), 1e-9) / sites
    steps = steps_of(table) if effort.moves is None else effort.moves
    best, now, most = books.taken.copy(), 0.0, 0.0
    made, parts, cut, apart = 0, 0, "", np.zeros(0, dtype=np.int64)
    with ThreadPoolExecutor(max(1, effort.threads)) as pool:
        for run, number in product(range(len(runs)), range(ROUNDS)):
            if effort.seconds is not None and time.monotonic() - began > effort.seconds:
                cut = f"退火在第{run * ROUNDS + number + 1}轮(共{len(runs) * ROUNDS}轮)因时间限制停止"
                break
            if run > 0 and number == 0:
                table, now = _set_out(desk, table.number, table.beside, np.flatnonzero(best)), most
                books = table.books
            value_anew(desk.spans, desk.worth, books, apart, table.value)
            how = (steps // (ROUNDS * len(runs)), *_heat(number, *_range(sites, steps, runs[run], mean)))
            seed = effort.seed + 1_000_003 * run
            rise, changes, here, apart = _round(table, seed, number, how, pool)
            now, made, parts = now + rise, made + changes, max(parts, here)
            if now > most and unmet(desk, books) == 0:
                best, most = books.taken.copy(), now
    return Heated(table.number[best], steps, made, parts, cut)


def steps_of(table: Table) -> int:
    """Steps by the size of the problem: so many per site, fewer where a change concerns many cells and candidates."""
    sites = int((table.books.taken & table.desk.pick).sum())
    count, cells = max(len(table.number), 1), max(table.desk.problem.reach.cells, 1)
    entries = len(table.desk.index.members)
    work = WORK if sites > MORE_SITES else SMALL_WORK * (1.0 if sites <= FEW_SITES else 1.5)
    most = (SITE_STEPS if sites > MORE_SITES else MORE_STEPS) * sites
    return int(max(min(most, work / (2000.0 + entries / count * entries / cells)), 16_000))


def _range(sites: int, steps: int, share: float, mean: float) -> tuple[float, float]:
    """Temperatures at the start and at the end of a run: lower where there are few steps for every site."""
    if sites <= MORE_SITES:
        return (HOT_SHARE + share / sites if sites <= FEW_SITES else share) * mean, COLD_SHARE * mean
    long = min(steps / (SITE_STEPS * sites), 1.0) ** 0.45
    return share * long * mean, COLD_SHARE * long * mean


def _heat(number: int, hot: float, cold: float) -> tuple[float, float]:
    """Temperatures at the start and at the end of a round; in the last two rounds hardly any."""
    if number >= ROUNDS - 2:
        return STILL * cold, STILL * cold
    fall = cold / hot
    return hot * fall ** (number / (ROUNDS - 2)), hot * fall ** ((number + 1) / (ROUNDS - 2))


def _round(table: Table, seed: int, number: int, how: tuple[int, float, float],
           pool: ThreadPoolExecutor) -> tuple[float, int, int, NDArray[np.int64]]:
    """One round, parts annealed beside each other: rise of the value, changes, number of parts, who was in none."""
    desk, books = table.desk, table.books
    borders = _borders(desk, books, number)
    part_of = _parts_of(desk, borders)
    count = len(borders) - 1
    bounds = desk.bounds if count == 1 else floors_asked(desk, books)  # a wish cannot be shared out, floors can
    shares = [int((part_of[books.taken] == part).sum()) for part in range(count)]
    total = max(sum(shares), 1)
    jobs = []
    for part in range(count):
        own = books._replace(used=books.used.copy(), served=books.served.copy())
        steps = how[0] * shares[part] // total if total > 1 else how[0] // count
        jobs.append((own, pool.submit(_one_part, table, _shared(bounds, books, count), own, part_of == part,
                                      (seed, number, part), (steps, *how[1:]))))
    results = [(own, job.result()) for own, job in jobs]
    used, served = books.used.copy(), books.served.copy()
    for own, _ in results:
        books.used[:] += own.used - used
        books.served[:] += own.served - served
    rise, made = sum(float(result[0]) for _, result in results), sum(int(result[1]) for _, result in results)
    apart = np.flatnonzero((part_of < 0) & desk.pick) if count > 1 else np.zeros(0, dtype=np.int64)
    return rise, made, count, apart


def _one_part(table: Table, bounds: Bounds, own: Books, mine: NDArray[np.bool_], key: tuple[int, int, int],
              how: tuple[int, float, float]) -> tuple[float, int]:
    desk = table.desk
    there = np.flatnonzero(own.taken & mine)
    if not mine.any():
        return 0.0, 0
    sites = np.full(int(mine.sum()) + 1, -1, dtype=np.int64)
    sites[:len(there)] = there
    seeds = np.random.SeedSequence(key).generate_state(2).astype(np.int64) % 2_147_483_000 + 1
    far = FAR_OF_FEW if len(there) <= FEW_SITES else FAR
    plan = (sites, len(there), *how, far, _alone(desk), CHAIN, int(desk.problem.reach.counts.max(initial=0)))
    rise, made = heat_part(desk.spans, desk.terms, bounds, own, desk.worth, (table.beside, desk.index),
                           (seeds, table.value, table.only, mine, desk.kind), plan)
    return float(rise), int(made)


def _alone(desk: Desk) -> bool:
    """Whether sites may come or go alone: where prices, budgets or limits from below leave such a choice."""
    problem = desk.problem
    counted = [row for row in problem.rows if len(row.amounts) and np.isfinite(row.most)]
    plain = len(counted) == 1 and len(problem.rows) == 1 and np.ptp(counted[0].amounts) == 0
    plain = plain and len(counted[0].amounts) == len(problem)
    return not (plain and bool((problem.bonus >= 0).all()))


def _borders(desk: Desk, books: Books, number: int) -> NDArray[np.int64]:
    """Cells at which the parts of a round begin, and the last one's end: parts of about equally many sites."""
    cells = desk.problem.reach.cells
    middles = np.sort(desk.middle[books.taken & desk.pick])
    parts = min(len(middles) // PART_SITES, MOST_PARTS)
    if parts < 2:
        return np.array([0, cells], dtype=np.int64)
    shift = (number * 0.381966) % 1.0  # golden section: borders of rounds after each other lie far apart
    at = ((np.arange(parts) + shift) / parts * len(middles)).astype(np.int64)
    inner = middles[np.minimum(at, len(middles) - 1)]
    return np.unique(np.concatenate([[0], inner, [cells]]))


def _parts_of(desk: Desk, borders: NDArray[np.int64]) -> NDArray[np.int8]:
    """Part of each candidate that may move; -1 where its cells or those that it excludes lie in several parts."""
    spans, problem = desk.spans, desk.problem
    part_of = np.full(len(problem), -1, dtype=np.int8)
    some = np.flatnonzero(desk.pick & (desk.middle >= 0))
    low = np.searchsorted(borders, spans.first[spans.indptr[some]], side="right") - 1
    high = np.searchsorted(borders, spans.end[spans.indptr[some + 1] - 1] - 1, side="right") - 1
    part_of[some] = np.where(low == high, low, -1)
    empty = desk.pick & (desk.middle < 0)
    part_of[empty] = 0
    if len(borders) == 2:
        return part_of
    near = problem.near
    if len(near):
        apart = part_of[near[:, 0]] != part_of[near[:, 1]]
        part_of[near[apart, 1]] = -1
    if desk.terms.group.max(initial=-1) >= 0:
        grouped = np.flatnonzero(desk.terms.group >= 0)
        groups = desk.terms.group[grouped]
        _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
        part_of[grouped[part_of[grouped] != part_of[grouped[first]][inverse]]] = -1
    return part_of


def _shared(bounds: Bounds, books: Books, parts: int) -> Bounds:
    """Bounds of one part: its share of the room that every limit leaves."""
    if parts == 1:
        return bounds
    return bounds._replace(
        row_least=books.used + (bounds.row_least - books.used) / parts,
        row_most=books.used + (bounds.row_most - books.used) / parts,
        floor_least=books.served + (bounds.floor_least - books.served) / parts)

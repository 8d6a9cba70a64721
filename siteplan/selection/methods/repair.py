"""Mending a choice that misses limits, and dropping from it what is not needed."""

from __future__ import annotations

import numpy as np

from siteplan._kernels import Books, anneal_part, floors_broken, rows_broken, seat, service_change
from siteplan.selection.methods.arrays import Desk, floors_asked
from siteplan.selection.model import Effort

MEND_ROUNDS = 6
"""Rounds of mending; the wanted floors that are asked for are chosen anew before each."""


def unmet(desk: Desk, books: Books) -> float:
    """By how much the books miss their limits, in usual amounts of each; 0 when all hold."""
    return float(rows_broken(desk.terms, desk.bounds, books) + floors_broken(desk.terms, desk.bounds, books))


def mend(desk: Desk, books: Books, effort: Effort) -> int:
    """Exchange, add and drop until the limits hold or the moves are used up; moves made.

    Broken limits weigh more than any service, so moves that mend are always taken and none that breaks more.
    """
    movable = desk.pick & (desk.middle >= 0)
    for row in desk.problem.rows:  # those that serve nothing may still be needed for a count
        if np.isfinite(row.least):
            movable[row.candidates] |= desk.pick[row.candidates]
    count = int(movable.sum())
    if count == 0:
        return 0
    made, usual = 0, desk.worth.strict * 1e-4
    moves = int(min(max(20_000, 40 * count), 400_000)) if effort.moves is None else effort.moves
    for number in range(MEND_ROUNDS):
        if unmet(desk, books) == 0:
            break
        sites = np.full(len(movable) + 1, -1, dtype=np.int64)
        there = np.flatnonzero(books.taken & movable)
        sites[:len(there)] = there
        seeds = np.array([effort.seed + 7919 * (number + 1), 104_729 + effort.seed], dtype=np.int64) % 2_147_483_000 + 1
        plan = (sites, len(there), moves // MEND_ROUNDS, 0.02 * usual, 0.0005 * usual,
                (0, max(desk.problem.reach.cells, 1)), np.maximum(desk.middle, 0), desk.kind, 0.2, 1_000_000)
        _, done = anneal_part(desk.spans, desk.terms, floors_asked(desk, books), books, desk.worth, desk.index,
                              (seeds, movable, np.zeros(0)), plan)
        made += int(done)
    return made


def prune(desk: Desk, books: Books) -> int:
    """Drop what costs more than it serves while every limit goes on holding, the dearest first; how many went."""
    loose = np.flatnonzero(books.taken & desk.pick & (desk.terms.bonus < 0))
    bounds, gone = desk.bounds, 0
    for candidate in loose[np.argsort(desk.terms.bonus[loose], kind="stable")]:
        number = int(candidate)
        change = service_change(*desk.spans, books.won, books.lost, number, -1) - desk.terms.bonus[number]
        if change <= 0:
            continue
        seat(desk.spans, desk.terms, desk.worth, books, number, -1)
        if rows_broken(desk.terms, bounds, books) + floors_broken(desk.terms, bounds, books) > 0:
            seat(desk.spans, desk.terms, desk.worth, books, number, 1)
        else:
            gone += 1
    return gone

"""Advice where an integer programme is too large: the greatest weight of a floor under all other limits, bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.advice_model import Found, Limit, limits_of, rows_of
from siteplan.selection.methods.advice_words import NOT_SURE, Relaxation, relax, row_words, share_of
from siteplan.selection.methods.bound import Proof, prove, upper_bound
from siteplan.selection.methods.solve import solve
from siteplan.selection.model import Effort, Problem
from siteplan.selection.model.count import TOLERANCE
from siteplan.selection.model.problem import relaxed

_MOST_FLOORS = 5


@dataclass(frozen=True, eq=False)
class Shortfall:
    """A floor proved out of reach.

    ``limits`` conflict with it; ``choice`` serves it well (None: not found); ``at_least``: what each limit has to give
    at least if it alone gives, which may not suffice.
    """

    floor: Limit
    limits: tuple[Limit, ...]
    choice: Found | None
    at_least: tuple[Relaxation, ...] = ()


def shortfall(problem: Problem, effort: Effort) -> Shortfall | None:
    """The first required floor that the bound proves out of reach under the other limits; None where none is.

    Looked at are at most five floors, those first that would need the greatest share of their area.
    """
    floors = [limit for limit in limits_of(problem) if limit.kind == "floor"]
    share = [-problem.floors[one.index].least / max(float(problem.floors[one.index].weights.sum()), 1e-300)
             for one in floors]
    for place in np.argsort(share, kind="stable")[:_MOST_FLOORS]:
        limit = floors[place]
        wish = _serving(problem, limit)
        part = relaxed(wish, max(len(wish.stages) - 1, 0))
        proof = prove(part, effort)
        if proof.bound >= _level(problem, limit):
            continue
        answer = solve(wish, "swap", effort)
        choice = Found("yes", answer.chosen, answer.stage) if answer.status in ("optimal", "feasible") else None
        needed = tuple(_needed(problem, wish, part, limit, proof))
        least = (_at_least(problem, limit, other, proof) for other in needed)
        return Shortfall(limit, needed, choice, tuple(one for one in least if one is not None))
    return None


def _at_least(problem: Problem, limit: Limit, other: Limit, proof: Proof) -> Relaxation | None:
    """What another limit has to give before the multipliers no longer prove the floor out of reach.

    The bound of given multipliers is linear in the sides of a row: one step tells what each unit brings. None for
    what has no sides, for shares, and where the limit does not bear on the proof.
    """
    if other.kind != "row":
        return None
    row, missing = rows_of(problem, other)[other.index], _level(problem, limit) - proof.bound
    if share_of(row) is not None:
        return None
    for side, way in (("most", 1.0), ("least", -1.0)):
        value = getattr(row, side)
        if not np.isfinite(value):
            continue
        step = max(1.0, abs(value))
        one = Relaxation(other.name, other.zh, side, value, value + way * step, step, row.unit, "", False, False)
        wish = _serving(relax(problem, [one]), limit)
        gain = upper_bound(relaxed(wish, max(len(wish.stages) - 1, 0)), proof.multipliers) - proof.bound
        if gain <= TOLERANCE * max(1.0, abs(proof.bound)):
            continue
        amount = missing / gain * step
        if (row.amounts == np.rint(row.amounts)).all() and value == np.rint(value):
            amount = float(np.ceil(amount - 1e-6))
        return replace(one, to_value=value + way * amount, amount=amount,
                       sentence=row_words(other, row, value + way * amount) + NOT_SURE)
    return None


def _level(problem: Problem, limit: Limit) -> float:
    """What a bound has to stay below to prove the floor out of reach."""
    least = problem.floors[limit.index].least
    return least - TOLERANCE * max(1.0, abs(least))


def _serving(problem: Problem, limit: Limit) -> Problem:
    """The problem of serving one floor as well as can be, that floor no longer required."""
    own, weight = problem.floors[limit.index], np.zeros(problem.reach.cells)
    weight[own.cells] = own.weights
    floors = list(problem.floors)
    floors[limit.index] = replace(own, required=False)
    last = len(problem.stages) - 1
    stages = tuple(replace(stage, worth=float(number == last)) for number, stage in enumerate(problem.stages))
    return replace(problem, weight=weight, bonus=np.zeros(len(problem)), backup=0.0, floors=tuple(floors),
                   stages=stages)


def _needed(problem: Problem, wish: Problem, part: Problem, limit: Limit, proof: Proof) -> list[Limit]:
    """Limits without whose multipliers the proof fails, the floor itself among them.

    Where the bound is below 0, no choice keeps the other limits, whatever the floor.
    """
    kept = proof.multipliers
    level, needed = _level(problem, limit), [limit]
    if proof.bound < -TOLERANCE * max(1.0, abs(level)):
        level, needed = -TOLERANCE * max(1.0, abs(level)), []
    for other in limits_of(problem):
        if other.name == limit.name:
            continue
        without, fewer = _dropped(wish, part, other), kept
        if other.kind == "row":
            at = _rows_of_part(wish, part, other)
            fewer = replace(kept, rows_least=_zeroed(kept.rows_least, at), rows_most=_zeroed(kept.rows_most, at))
        elif other.kind == "floor":
            fewer = replace(kept, floors=_zeroed(kept.floors, [other.index]))
        elif other.kind == "wanted":
            fewer = replace(kept, wanted=_zeroed(kept.wanted, [other.index]))
        elif other.kind == "near":
            fewer = replace(kept, cliques=np.zeros(len(kept.cliques)))
        elif other.kind == "group":
            fewer = replace(kept, groups=np.zeros(len(kept.groups)))
        if upper_bound(without, fewer) < level:
            kept, part = fewer, without
        else:
            needed.append(other)
    return needed


def _dropped(wish: Problem, part: Problem, limit: Limit) -> Problem:
    """The part without marks on single candidates; other limits are dropped by their multipliers."""
    nobody = np.zeros(len(part), dtype=bool)
    if limit.kind == "locked":
        return replace(part, locked=nobody)
    if limit.kind == "barred":
        return replace(part, barred=part.barred & ~wish.barred)
    return part


def _rows_of_part(wish: Problem, part: Problem, limit: Limit) -> list[int]:
    """Rows of the last stage alone that a limit stands behind; see ``relaxed`` for their order."""
    if not wish.stages:
        return [limit.index]
    last = len(wish.stages) - 1
    on_air, own = len(wish.stages[last].on_air), len(part.rows) - len(wish.rows)
    if limit.part == "rows":
        return [own + limit.index]
    if limit.part == "on_air":
        return [limit.index] if limit.stage == last else []
    name = wish.stages[limit.stage].new[limit.index].name
    return [at for at in range(on_air, own) if part.rows[at].name.rsplit("#", 1)[0] == name]


def _zeroed(values: NDArray[np.float64], at: list[int]) -> NDArray[np.float64]:
    fewer = values.copy()
    fewer[[place for place in at if place < len(values)]] = 0.0
    return fewer

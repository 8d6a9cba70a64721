"""Sites give way to better owners nearby, private ones to public ones: a rule that the objective does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from siteplan.selection.model.count import breaches
from siteplan.selection.model.problem import Problem
from siteplan.selection.serving import fresh_weights, serve
from siteplan.selection.standing import Standing, blocked_by

FREE, POLE, PUBLIC, PRIVATE = range(4)
GIVES_WAY_TO = {PUBLIC: FREE, PRIVATE: PUBLIC}
"""Owners up to which a site of each kind of owner gives way."""
ROUNDING = 1e-9
_MOST_ROUNDS = 20
Order = Callable[[NDArray[np.int64], NDArray[np.int32]], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What the rule looks at, in the order of the candidates of the problem.

    Attributes
    ----------
    service : csc_matrix
        Plain cells x candidates: share of the cell's weight that counts when the candidate serves it.
    already : ndarray, shape (plain cells,)
        Service that was there before.
    weight : ndarray, shape (plain cells,)
    xy : ndarray, shape (candidates, 2)
        m.
    owner : ndarray of int, shape (candidates,)
        0 venues that have to be free, 1 public poles and existing masts, 2 other public venues, 3 private sites.
        2 gives way to 0, 3 to all others.
    least : ndarray, shape (candidates,)
        Weight that the candidate has to serve newly to be worth building.
    within_m, share : float
        A rival is a candidate of a better owner within this distance that serves this share of what the site newly
        serves.
    """

    service: sp.csc_matrix
    already: NDArray[np.float64]
    weight: NDArray[np.float64]
    xy: NDArray[np.float64]
    owner: NDArray[np.int8]
    least: NDArray[np.float64]
    within_m: float
    share: float


def give_way(problem: Problem, chosen: NDArray[np.int64], stage: NDArray[np.int32], around: Neighbourhood,
             order: Order) -> tuple[NDArray[np.int64], NDArray[np.int32], Mapping[int, int]]:
    """Exchange sites for rivals of better owners until none is left that would do.

    Parameters
    ----------
    problem : Problem
    chosen, stage : ndarray
        A plan, see :class:`siteplan.selection.model.Answer`.
    around : Neighbourhood
    order : callable
        Ranks a plan: positions in ``chosen`` in the order in which sites count as chosen; what a site newly serves
        depends on it.

    Returns
    -------
    chosen, stage : ndarray
        The plan after the exchanges; every limit that held still holds.
    given : mapping of int to int
        Candidate that gave way -> the one that came instead.
    """
    given: dict[int, int] = {}
    if around.within_m <= 0 or not (around.owner < PRIVATE).any():
        return chosen, stage, given
    rivals = np.flatnonzero((around.owner < PRIVATE) & ~problem.barred)
    places = (cKDTree(around.xy[rivals]), rivals)
    for _ in range(_MOST_ROUNDS):
        number = len(given)
        chosen, stage = _one_pass(problem, (chosen, stage), around, order(chosen, stage), (places, given))
        if len(given) == number:
            break
        if not problem.stages:
            chosen = _refilled(problem, chosen, list(given))
            stage = np.zeros(len(chosen), dtype=np.int32)
    return chosen, stage, {out: into for out, into in given.items() if out not in chosen and into in chosen}


def _one_pass(problem: Problem, plan: tuple[NDArray[np.int64], NDArray[np.int32]], around: Neighbourhood,
              order: NDArray[np.int64], asked: tuple[tuple[cKDTree, NDArray[np.int64]], dict[int, int]],
              ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Every site once, in the order of choice; exchanges are noted in the last argument."""
    chosen, stage = plan
    (tree, rivals), given = asked
    best, standing = around.already.copy(), Standing(problem, chosen)
    for candidate in chosen[order]:
        came = int(candidate)
        if around.owner[candidate] in GIVES_WAY_TO and not problem.locked[candidate]:
            found = tree.query_ball_point(around.xy[candidate], around.within_m, return_sorted=True)
            near = rivals[np.asarray(found, dtype=np.int64)]
            near = near[~standing.taken[near] & (around.owner[near] <= GIVES_WAY_TO[int(around.owner[candidate])])]
            for rival in _able(came, near, best, around):
                if int(rival) not in given and _may(problem, standing, stage, (came, int(rival))):
                    given[came] = int(rival)
                    chosen, stage = _exchanged((chosen, stage), came, int(rival))
                    standing, came = standing.moved(chosen), int(rival)
                    break
        serve(around.service, came, best)
    return chosen, stage


def _exchanged(plan: tuple[NDArray[np.int64], NDArray[np.int32]], out: int, into: int,
               ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The plan with one site instead of another, in the same stage."""
    chosen = np.where(plan[0] == out, into, plan[0])
    by = np.argsort(chosen)
    return chosen[by], plan[1][by]


def _refilled(problem: Problem, chosen: NDArray[np.int64], given: list[int]) -> NDArray[np.int64]:
    """The plan with every further candidate that is still worth it, the best first; who gave way does not come back."""
    standing = Standing(problem, chosen)
    while True:
        gains = np.nan_to_num(standing.gains, nan=-np.inf)
        blocked = blocked_by(standing)[0] != ""
        gains[blocked] = -np.inf
        gains[given] = -np.inf
        best = int(gains.argmax()) if len(gains) else -1
        if best < 0 or gains[best] <= ROUNDING * max(1.0, float(problem.weight.sum())):
            return standing.chosen
        standing = standing.moved(np.sort(np.append(standing.chosen, best)))


def _able(candidate: int, near: NDArray[np.int64], best: NDArray[np.float64], around: Neighbourhood,
          ) -> NDArray[np.int64]:
    """Rivals that serve the share of what the candidate newly serves and are worth building, the best first."""
    total = float(fresh_weights(around.service[:, [candidate]], around.weight, best)[0])
    if total <= 0 or not len(near):
        return near[:0]
    own = np.zeros(len(best))
    serve(around.service, candidate, own)
    rivals = around.service[:, near]
    share = fresh_weights(rivals, around.weight, best, own) / total
    worth = fresh_weights(rivals, around.weight, best) >= around.least[near] * (1 - ROUNDING)
    good = np.flatnonzero((share >= around.share * (1 - ROUNDING)) & worth)
    return np.asarray(near[good[np.argsort(-share[good], kind="stable")]])


def _may(problem: Problem, standing: Standing, stage: NDArray[np.int32], change: tuple[int, int]) -> bool:
    """Whether every limit holds after the exchange."""
    out, into = change
    if not problem.stages and standing.fault(into, out)[0]:
        return False
    if not problem.stages and not problem.floors:
        return True
    chosen, when = _exchanged((standing.chosen, stage), out, into)
    return not breaches(problem, chosen, when if problem.stages else None)

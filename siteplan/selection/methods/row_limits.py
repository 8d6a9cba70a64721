"""All limits on sums over candidates as rows of one sparse matrix: rows, groups, cliques, and floors as candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import polish_rows, settle_rows
from siteplan.selection.model.problem import Problem


@dataclass(frozen=True, eq=False)
class RowLimits:
    """Limits ``least <= sum of amount x y <= most`` over candidates and floors.

    Floors stand after the candidates: y of a floor says to what share it is reached (required ones: 1).

    Attributes
    ----------
    indptr : ndarray of int64, shape (limits + 1,)
    members : ndarray of int32
        Places of candidates, then of floors.
    amounts, least, most : ndarray of float64
    sizes : tuple of int
        Number of cliques, groups, rows and wishes, in this order.
    fixed : ndarray of int8, shape (candidates + floors,)
        1 chosen, -1 not to be chosen, 0 free.
    bonus : ndarray of float64, shape (candidates + floors,)
    """

    indptr: NDArray[np.int64]
    members: NDArray[np.int32]
    amounts: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    sizes: tuple[int, int, int, int]
    fixed: NDArray[np.int8]
    bonus: NDArray[np.float64]

    def load(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each candidate pays for its limits at signed prices (most minus least)."""
        if not prices.any():
            return np.zeros(len(self.fixed))
        paid = np.repeat(prices, np.diff(self.indptr)) * self.amounts
        return np.bincount(self.members, paid, len(self.fixed)).astype(np.float64, copy=False)

    def settle(self, y: NDArray[np.float64], pace: NDArray[np.float64],
               prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Y brought within its limits, one after the other; ``prices`` are moved."""
        low = (self.fixed > 0).astype(np.float64)
        high = (self.fixed >= 0).astype(np.float64)
        point = y - pace * self.load(prices)
        settle_rows((self.indptr, self.members, self.amounts), (self.least, self.most), (point, low, high), pace,
                    prices)
        return np.clip(point, low, high)

    def polish(self, reached: NDArray[np.float64], prices: NDArray[np.float64], sweeps: int = 1) -> float:
        """Better prices for given reach sums, one after the other; the part of the bound that they make.

        ``prices`` are moved.
        """
        profit = self.bonus + reached - self.load(prices)
        for _ in range(sweeps):
            before = prices.copy()
            polish_rows((self.indptr, self.members, self.amounts), (self.least, self.most), profit, self.fixed, prices)
            if np.array_equal(before, prices):
                break
        own = float(profit[self.fixed > 0].sum() + np.maximum(profit[self.fixed == 0], 0.0).sum())
        paid = prices > 0
        got = prices < 0
        return own + float((prices[paid] * self.most[paid]).sum() + (prices[got] * self.least[got]).sum())

    def broken(self, y: NDArray[np.float64], prices: NDArray[np.float64]) -> float:
        """What the limits that y breaks would cost, each at the greatest price that any limit has for a member."""
        row = np.repeat(np.arange(len(self.least)), np.diff(self.indptr))
        total = np.bincount(row, self.amounts * y[self.members], len(self.least))
        over = np.maximum(total - self.most, 0.0) + np.maximum(self.least - total, 0.0)
        if not over.any():
            return 0.0
        size = np.zeros(len(self.least))
        np.maximum.at(size, row, np.abs(self.amounts))
        return float((np.abs(prices) * size).max() * (over[size > 0] / size[size > 0]).sum())

    def parts(self, prices: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Prices of cliques, groups, rows and wishes."""
        return tuple(np.split(prices, np.cumsum(self.sizes)[:-1]))


def owned_floors(problem: Problem) -> NDArray[np.int64]:
    """The wish that each floor counts for in the bound: -1 for required ones, the first that names it, -2 for none."""
    owner = np.full(len(problem.floors), -2, dtype=np.int64)
    for number in range(len(problem.wanted) - 1, -1, -1):
        owner[list(problem.wanted[number].floors)] = number
    owner[np.array([floor.required for floor in problem.floors], dtype=bool)] = -1
    return owner


def wish_least(problem: Problem, owner: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many of its own floors each wish needs, floors that count elsewhere taken as reached."""
    return np.array([wish.least - sum(owner[floor] != number for floor in wish.floors)
                     for number, wish in enumerate(problem.wanted)], dtype=np.float64)


def build_limits(problem: Problem, cliques: tuple[NDArray[np.int64], NDArray[np.int32]],
                 place: NDArray[np.int64]) -> RowLimits:
    """The limits of a problem without stages; ``place`` (candidates,) is where each candidate stands."""
    count = len(problem)
    owner = owned_floors(problem)
    clique_indptr, clique_members = cliques
    in_group = np.flatnonzero(problem.group >= 0)
    in_group = in_group[np.argsort(problem.group[in_group], kind="stable")]
    groups = int(problem.group.max(initial=-1)) + 1
    members = [place[clique_members], place[in_group]]
    amounts = [np.ones(len(clique_members)), np.ones(len(in_group))]
    sizes = [*np.diff(clique_indptr), *np.bincount(problem.group[in_group], minlength=groups)]
    for row in problem.rows:
        members.append(place[row.candidates])
        amounts.append(np.asarray(row.amounts, dtype=np.float64))
        sizes.append(len(row.candidates))
    for number in range(len(problem.wanted)):
        own = np.flatnonzero(owner == number)
        members.append(count + own)
        amounts.append(np.ones(len(own)))
        sizes.append(len(own))
    one = len(clique_indptr) - 1 + groups
    least = np.concatenate([np.full(one, -np.inf), [row.least - row.already for row in problem.rows],
                            wish_least(problem, owner)])
    most = np.concatenate([np.ones(one), [row.most - row.already for row in problem.rows],
                           np.full(len(problem.wanted), np.inf)])
    fixed = np.zeros(count + len(owner), dtype=np.int8)
    fixed[place[problem.barred]] = -1
    fixed[place[problem.locked]] = 1
    fixed[count:] = np.where(owner == -1, 1, np.where(owner == -2, -1, 0))
    bonus = np.zeros(count + len(owner))
    bonus[place] = problem.bonus
    return RowLimits(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
                     np.concatenate(members).astype(np.int32), np.concatenate(amounts), least, most,
                     (len(clique_indptr) - 1, groups, len(problem.rows), len(problem.wanted)), fixed, bonus)

"""Restarted averaged primal-dual steps for the linear relaxation of a selection.

Chambolle and Pock's steps with diagonal step lengths (Pock and Chambolle 2011), step length and weight of the two
sides adapted and restarts from the average as in PDLP (Applegate et al. 2021). The multiplier of a cell is kept as a
share of the cell's worth; rows, groups, cliques and wishes are limits that y is brought back into at every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.game import SWEEPS, Game, Point, judge

_EMPTY = np.zeros(0, dtype=np.float32)
_BALANCE = (1e-3, 1e3)
_LONGEST = 8.0


class Descent:
    """The steps, and where they stand."""

    def __init__(self, game: Game, point: Point) -> None:
        self.game = game
        self.point = point
        self.length, self.balance, self.count = 1.0, 0.3, 0
        self.worth = game.worth(point.floors)
        cells = len(self.worth)
        self.calm = (1.0 / np.maximum(game.crowd, 1.0)).astype(np.float32)
        full = game.weight + game.area.spread(game.scale / game.area.total, cells)
        candidates = len(game.passes.order)
        sums, _ = game.passes.weigh((np.ones(cells, np.float32), full.astype(np.float32), _EMPTY), np.zeros(candidates))
        typical = (float(sums.mean()) if candidates else 0.0) or 1.0
        self.size = np.concatenate([np.maximum(sums, 1e-3 * typical), game.scale])
        weights = np.bincount(game.area.floor, game.area.weights * game.crowd[game.area.cells], len(game.scale))
        self.floor_calm = 0.3 * game.scale / (1.0 + weights / game.area.total)
        self.served = np.zeros(cells, np.float32) if len(game.scale) else _EMPTY
        self.total = np.zeros(cells, np.float32)
        sums, _ = game.passes.weigh((point.share, self.worth, _EMPTY), np.zeros(candidates))
        self.reached = game.reached(sums, point.floors)
        self.left = np.inf
        self._forget()

    def _forget(self) -> None:
        """Begin a new average here."""
        self.total[:] = 0.0
        self.y_total, self.floor_total = np.zeros(len(self.point.y)), np.zeros(len(self.point.floors))
        self.price_total = np.zeros(len(self.point.prices))
        self.weight, self.since = 0.0, 0
        self.y_start, self.share_start = self.point.y.copy(), self.point.share.copy()
        self.floor_start = self.point.floors.copy()

    def step(self) -> None:
        """One step of both sides."""
        game, point = self.game, self.point
        self.count, self.since = self.count + 1, self.since + 1
        pace = self.length * self.balance / self.size
        y = game.limits.settle(point.y + pace * (game.limits.bonus + self.reached), pace, point.prices)
        move = y - point.y
        ahead = y + move
        point.y = y
        count = len(game.passes.order)
        sums, (way, left, second) = game.passes.advance(
            (point.share, self.total, self.worth, self.calm, game.second(self.worth)), ahead[:count],
            self.length / self.balance, self.length, self.served)
        self.left = left + second
        if len(point.floors):
            need = game.area.least * ahead[count:] - game.area.has(self.served)
            old = point.floors
            self.floor_total += self.length * old
            point.floors = np.maximum(
                old + self.length / self.balance * self.floor_calm * need / game.area.total ** 2, 0.0)
            way += self._floor_way(point.floors, old)
            self.worth = game.worth(point.floors)
        before, self.reached = self.reached, game.reached(sums, point.floors)
        self.y_total += self.length * y
        self.price_total += self.length * point.prices
        self.weight += self.length
        # plain sums: what a library for matrices adds up may depend on its threads
        crossing = 2.0 * abs(float((move * (self.reached - before)).sum()))
        squares = float((self.size * move * move).sum()) / self.balance + self.balance * way
        most = squares / crossing if crossing > 0 else np.inf
        self.length = min((1.0 - (self.count + 1.0) ** -0.3) * most,
                          (1.0 + (self.count + 1.0) ** -0.6) * self.length, _LONGEST)

    def _floor_way(self, new: NDArray[np.float64], old: NDArray[np.float64]) -> float:
        """Square of the way that multipliers of floors went."""
        return float(((new - old) ** 2 * self.game.area.total ** 2 / self.floor_calm).sum())

    def average(self) -> Point:
        """The average since the last restart, judged."""
        floors = self.floor_total / self.weight
        share = self.total / np.float32(self.weight)
        if len(floors):
            share /= np.maximum(self.game.worth(floors), np.float32(1e-30))
        np.minimum(share, np.float32(1.0), out=share)
        return judge(self.game, Point(share, floors, self.y_total / self.weight, self.price_total / self.weight))

    def current(self) -> Point:
        """The point itself; its bound only (exact where there are no floors, which moved after their cells)."""
        point = Point(self.point.share, self.point.floors, self.point.y, self.point.prices.copy())
        if len(point.floors):
            return judge(self.game, point)
        point.reached = self.reached
        point.bound = self.left + self.game.limits.polish(self.reached, point.prices, SWEEPS)
        return point

    def restart(self, point: Point) -> None:
        """Go on from a point; the balance of both sides follows the ways they went."""
        way = float((self.size * (point.y - self.y_start) ** 2).sum())
        moved = point.share - self.share_start
        other = float((moved * moved * (self.worth / self.calm)).sum(dtype=np.float64))
        other += self._floor_way(point.floors, self.floor_start)
        if way > 0 and other > 0:
            self.balance = float(np.clip(np.sqrt(self.balance * np.sqrt(way / other)), *_BALANCE))
        self.point = Point(point.share.copy(), point.floors.copy(), point.y.copy(), point.prices.copy())
        self.reached = point.reached.copy()
        self.worth = self.game.worth(point.floors)
        self._forget()

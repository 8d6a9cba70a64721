"""The linear relaxation of a selection as a game of two sides, on merged cells: set up, judged, and led back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.merging_cells import merge_cells, spread_over
from siteplan.selection.methods.passes import Passes, build_passes
from siteplan.selection.methods.row_limits import RowLimits, build_limits
from siteplan.selection.model.answer import Multipliers
from siteplan.selection.model.problem import Problem
from siteplan.selection.model.reach import Reach

_EMPTY = np.zeros(0, dtype=np.float32)
SWEEPS = 4
"""How often prices of limits are gone through, at most: they depend on each other."""


@dataclass(frozen=True, eq=False)
class Area:
    """Floors over merged cells, one after the other: cells, weights, floor of each entry; least and total of each."""

    cells: NDArray[np.int32]
    weights: NDArray[np.float64]
    floor: NDArray[np.int32]
    least: NDArray[np.float64]
    total: NDArray[np.float64]

    def has(self, served: NDArray[np.float32]) -> NDArray[np.float64]:
        """Served weight of each floor."""
        total = np.bincount(self.floor, self.weights * served[self.cells], len(self.least))
        return total.astype(np.float64, copy=False)

    def spread(self, multiplier: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
        """Worth that multipliers of floors give to cells."""
        return np.bincount(self.cells, self.weights * multiplier[self.floor], cells).astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Game:
    """What both sides play on: merged cells with their weights, candidates with their limits, floors.

    ``crowd`` is the number of candidates of each cell, ``scale`` (floors,) what a floor is about in units of weight.
    """

    passes: Passes
    weight: NDArray[np.float64]
    crowd: NDArray[np.float64]
    backup: float
    limits: RowLimits
    area: Area
    scale: NDArray[np.float64]

    def worth(self, floors: NDArray[np.float64]) -> NDArray[np.float32]:
        """Worth of each cell at multipliers of floors."""
        if not len(floors):
            return self.weight.astype(np.float32)
        return (self.weight + self.area.spread(floors, len(self.weight))).astype(np.float32)

    def second(self, worth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Share of the worth that a second server counts; empty for none."""
        if not self.backup:
            return _EMPTY
        return (self.backup * self.weight / np.maximum(worth, 1e-30)).astype(np.float32)

    def reached(self, sums: NDArray[np.float64], floors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reach sums of candidates, then what reaching a floor costs."""
        return np.concatenate([sums, -floors * self.area.least])


@dataclass
class Point:
    """A pair of plans: shares of cells and multipliers of floors; y of candidates and floors; what they come to."""

    share: NDArray[np.float32]
    floors: NDArray[np.float64]
    y: NDArray[np.float64]
    prices: NDArray[np.float64]
    bound: float = np.inf
    value: float = -np.inf
    reached: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def judge(game: Game, point: Point) -> Point:
    """Fill in the bound and the value of a point; its prices are polished."""
    worth = game.worth(point.floors)
    served = np.empty(len(worth), np.float32) if len(point.floors) else _EMPTY
    y = point.y[:len(game.passes.order)]
    sums, (left, second, value) = game.passes.weigh((point.share, worth, game.second(worth)), y, served)
    point.reached = game.reached(sums, point.floors)
    point.bound = left + second + game.limits.polish(point.reached, point.prices, SWEEPS)
    missing = 0.0
    if len(point.floors):
        reach = point.y[len(y):]
        has = game.area.has(served)
        # worth of floors is no value
        value -= float((point.floors * has).sum())
        dear = 2.0 * point.floors + game.scale / game.area.total
        missing = float((dear * np.maximum(game.area.least * reach - has, 0.0)).sum())
    # what is broken costs twice its price: more than it can bring once prices are about right
    point.value = (value + float((game.limits.bonus * point.y).sum())
                   - 2.0 * game.limits.broken(point.y, point.prices) - missing)
    return point


def build_game(problem: Problem, cliques: tuple[NDArray[np.int64], NDArray[np.int32]],
               threads: int) -> tuple[Game, NDArray[np.int32]]:
    """The game of a problem, and the merged cell of each cell (-1: nobody serves it, or it counts nothing)."""
    reach = _without(problem.reach, problem.barred) if problem.barred.any() else problem.reach
    keep = np.zeros(reach.cells, dtype=bool)
    for floor in problem.floors:
        keep[floor.cells] = True
    merged, weight, cell_of = merge_cells(reach, problem.weight, keep if problem.floors else None)
    passes = build_passes(merged, threads)
    place = np.empty(len(problem), dtype=np.int64)
    place[passes.order] = np.arange(len(problem))
    limits = build_limits(problem, cliques, place)
    area = _area(problem, cell_of)
    crowd = spread_over(merged, np.ones(len(merged)))
    own = np.bincount(area.floor, weight[area.cells], len(area.least))
    scale = np.where(own > 0, own, _typical(passes, weight, limits, area))
    return Game(passes, weight, crowd, problem.backup, limits, area, scale), cell_of


def _without(reach: Reach, barred: NDArray[np.bool_]) -> Reach:
    """The reach where some candidates serve nothing."""
    count = np.diff(reach.indptr)
    kept = np.repeat(~barred, count)
    indptr = np.concatenate([[0], np.cumsum(np.where(barred, 0, count))]).astype(np.int64)
    return Reach(reach.cells, indptr, reach.first[kept], reach.end[kept])


def _area(problem: Problem, cell_of: NDArray[np.int32]) -> Area:
    found, weights, number = [np.zeros(0, np.int32)], [np.zeros(0)], [np.zeros(0, np.int32)]
    for z, floor in enumerate(problem.floors):
        at = cell_of[floor.cells]
        each, back = np.unique(at[at >= 0], return_inverse=True)
        found.append(each)
        weights.append(np.bincount(back, floor.weights[at >= 0], len(each)).astype(np.float64))
        number.append(np.full(len(each), z, dtype=np.int32))
    entries = np.concatenate(found), np.concatenate(weights), np.concatenate(number)
    least = np.array([floor.least for floor in problem.floors], dtype=np.float64)
    total = np.bincount(entries[2], entries[1], len(least))
    return Area(*entries, least, np.where(total > 0, total, 1.0))


def _typical(passes: Passes, weight: NDArray[np.float64], limits: RowLimits, area: Area) -> float:
    """What a whole floor is about where its cells weigh nothing: a site's worth, or a price that pays for it."""
    ones, nobody = np.ones(len(weight), np.float32), np.zeros(len(passes.order))
    if not len(area.least):
        return 1.0
    if weight.any():
        return float(passes.weigh((ones, weight.astype(np.float32), _EMPTY), nobody)[0].mean()) or 1.0
    share = area.spread(1.0 / area.total, len(weight)).astype(np.float32)
    gain = passes.weigh((ones, share, _EMPTY), nobody)[0]
    cost = np.maximum(-limits.bonus[:len(gain)], 0.0)
    useful = np.flatnonzero((gain > 0) & (limits.fixed[:len(gain)] == 0) & (cost > 0))
    if not len(useful):
        return 1.0
    rate = cost[useful] / gain[useful]
    order = np.argsort(rate, kind="stable")
    enough = np.searchsorted(np.cumsum(gain[useful][order]), float((area.least / area.total).sum()))
    return 1.5 * float(rate[order[min(int(enough), len(order) - 1)]])


def first_point(game: Game) -> Point:
    """Where the steps begin: every candidate built to the share that its limits allow."""
    limits = game.limits
    size = np.bincount(np.repeat(np.arange(len(limits.least)), np.diff(limits.indptr)), np.abs(limits.amounts),
                       len(limits.least))
    allowed = np.where(size > 0, np.clip(limits.most / np.maximum(size, 1e-300), 0.0, 1.0), 1.0)
    y = np.ones(len(limits.fixed))
    np.minimum.at(y, limits.members, np.repeat(allowed, np.diff(limits.indptr)))
    y[limits.fixed > 0], y[limits.fixed < 0] = 1.0, 0.0
    cells = len(game.weight)
    count = len(game.passes.order)
    mean = float(y[:count].mean()) if count else 0.0
    share = (1.0 / np.maximum(game.crowd * mean, 1.0)).astype(np.float32)
    floors = np.zeros(len(game.scale))
    if cells and not game.weight.any():
        floors = np.where(limits.fixed[count:] > 0, game.scale / game.area.total, 0.0)
    return Point(share, floors, y, np.zeros(len(limits.least)))


def point_from(problem: Problem, game: Game, cell_of: NDArray[np.int32], multipliers: Multipliers,
               fractional: NDArray[np.float64]) -> Point:
    """Where the steps go on from: multipliers and y of an earlier search."""
    point = first_point(game)
    if len(multipliers.floors) == len(point.floors):
        point.floors = np.maximum(multipliers.floors, 0.0)
    kept = cell_of >= 0
    cells = np.bincount(cell_of[kept], multipliers.cells[kept], len(game.weight))
    point.share = np.clip(cells / np.maximum(game.worth(point.floors), 1e-30), 0.0, 1.0).astype(np.float32)
    point.y[:len(problem)] = np.clip(fractional[game.passes.order], 0.0, 1.0)
    sizes = game.limits.sizes
    most = (multipliers.cliques, multipliers.groups, multipliers.rows_most, np.zeros(sizes[3]))
    low = (np.zeros(sizes[0]), np.zeros(sizes[1]), multipliers.rows_least, multipliers.wanted)
    fits = [len(part) == size for part, size in zip([*most, *low], sizes * 2, strict=True)]
    point.prices = np.concatenate([
        part - other if one and two else np.zeros(size)
        for part, other, one, two, size in zip(most, low, fits[:4], fits[4:], sizes, strict=True)])
    return point


def worth_of(problem: Problem, floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of each cell and what multipliers of floors add to it."""
    if not floors.any():
        return problem.weight
    worth = problem.weight.copy()
    for floor, price in zip(problem.floors, floors, strict=True):
        if price:
            np.add.at(worth, floor.cells, price * floor.weights)
    return worth


def priced(problem: Problem, game: Game, cell_of: NDArray[np.int32],
           cliques: tuple[NDArray[np.int64], NDArray[np.int32]],
           point: Point) -> tuple[Multipliers, NDArray[np.float64]]:
    """Multipliers of all cells and limits from a point, and the reach sums of those of the cells.

    A merged cell's multiplier is split in proportion to worth; with second servers what exceeds their share is split
    in proportion to the rest of the worth, so that nothing is lost.
    """
    worth = worth_of(problem, point.floors)
    cells = np.append(point.share.astype(np.float64), 1.0)[cell_of]
    if problem.backup and problem.floors:
        low = problem.backup * problem.weight
        merged = np.append(game.worth(point.floors).astype(np.float64), 1.0)[cell_of]
        turn = np.append(problem.backup * game.weight, 0.0)[cell_of] / np.maximum(merged, 1e-300)
        above = np.clip((cells - turn) / np.maximum(1.0 - turn, 1e-12), 0.0, 1.0)
        split = np.where(cells > turn, low + above * (worth - low), low * cells / np.maximum(turn, 1e-300))
        cells = np.where(cell_of < 0, worth, split)
    else:
        cells *= worth
    reached = problem.reach.sums(cells)
    prices = point.prices.copy()
    game.limits.polish(game.reached(reached[game.passes.order], point.floors), prices, 2 * SWEEPS)
    clique, group, row, wish = game.limits.parts(prices)
    return Multipliers(
        cells, np.maximum(-row, 0.0), np.maximum(row, 0.0), np.maximum(group, 0.0), np.maximum(clique, 0.0),
        point.floors, np.maximum(-wish, 0.0), *cliques), reached

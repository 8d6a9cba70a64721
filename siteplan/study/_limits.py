"""Least covered shares of villages and key zones, and how many of them have to pass, as floors on cells of demand.

A floor is a model of its rule on the cells that are chosen by: whoever serves a cell covers all gap pixels in it. The
verdicts of the plan are those of the rules on the coverage that is predicted with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.errors import Problem, StudyError
from siteplan.gaps import AreaPixels, Rule
from siteplan.gaps.judging.areas import asked_points, point_probability
from siteplan.gaps.judging.key_points import points_of_areas
from siteplan.grid import inside, pixel_of, pixel_size_m
from siteplan.params import ShareParams
from siteplan.selection import DemandCells
from siteplan.selection.model import Floor, Wanted
from siteplan.study._areas import key_points
from siteplan.study._cheapest import _lacks, asks_beyond
from siteplan.study._scene import AREA_LAYERS, Scene
from siteplan.study._wish_names import LAYER_ZH, area_faults, places_named

if TYPE_CHECKING:
    from siteplan.study._stages import State

MEASURE_ZH = {"area": "面积", "points": "点位"}
_SIDE = 1e-9


class AreaLimits(NamedTuple):
    """Limits of areas on the cells of demand.

    Attributes
    ----------
    floors : tuple of Floor
        Required shares first, then the areas that may come to pass; those that are reached already are left out.
    wanted : tuple of Wanted
    notes : tuple of Problem
        What could not be put into a floor, and why.
    facts : tuple of mapping
        What is known of the floors and wishes by their ``name``. Of a share: ``kind``, ``share``, ``covered`` (today)
        and ``total`` in its measure. Of a wish: ``passed``, the number of areas that pass today. Entries with ``met``
        have no floor or wish: today is enough.
    """

    floors: tuple[Floor, ...]
    wanted: tuple[Wanted, ...]
    notes: tuple[Problem, ...]
    facts: tuple[Mapping[str, Any], ...]


class _Ground(NamedTuple):
    """What floors are counted on: the probability as it stands, the cell of every gap pixel (-1 = none), cells.

    ``reached``: the cells that some candidate serves.
    """

    scene: Scene
    probability: NDArray[np.float32]
    cell: NDArray[np.int32]
    cells: int
    reached: NDArray[np.bool_]


class _Points(NamedTuple):
    """Points of areas: number of the area, the cell they lie in (-1 = none), probability (NaN = unknown)."""

    area: NDArray[np.int64]
    cell: NDArray[np.int32]
    probability: NDArray[np.float64]


def floors_of(scene: Scene, before: State, cells: DemandCells, gap: NDArray[np.bool_],
              reached: NDArray[np.bool_] | None = None) -> AreaLimits:
    """Floors of ``[selection.shares]`` and wishes of ``[selection.passing]``.

    Parameters
    ----------
    scene : Scene
    before : State
        As it stands today.
    cells : DemandCells
        Of :func:`siteplan.selection.gather_demand` on the same ``gap``.
    gap : ndarray of bool, shape (rows, cols)
    reached : ndarray of bool, shape (demand cells,), optional
        Cells that some candidate serves; every one when absent.

    Raises
    ------
    StudyError
        Areas that there are not, more passing areas wanted than there are; all of it at once.
    """
    probability = before.signals.coverage.any_5g().probability
    cell = pixel_cells(cells, gap, scene.params.selection.demand_cell_m, pixel_size_m(scene.demand.geobox))
    known = np.ones(len(cells), dtype=bool) if reached is None else reached
    ground = _Ground(scene, probability, cell, len(cells), known)
    problems = area_faults(scene.params, scene.tables)
    if problems:
        raise StudyError("研究文件不能使用:", problems)
    notes: list[Problem] = []
    floors: list[Floor] = []
    facts: list[Mapping[str, Any]] = []
    for number, asked in enumerate(scene.params.selection.shares, 1):
        places, _ = places_named(scene.tables[asked.layer], asked, f"selection.shares#{number}")
        found, told, more = _share_floors(ground, asked, places, f"shares#{number}")
        floors, notes, facts = [*floors, *found], [*notes, *more], [*facts, *told]
    wanted = []
    for layer in AREA_LAYERS:
        count = getattr(scene.params.selection.passing, layer)
        if count is None:
            continue
        found, wish, fact, more = _passing(ground, before, layer, count)
        notes += more
        facts.append(fact)
        if wish is not None:
            wanted.append(Wanted(wish.name, tuple(number + len(floors) for number in wish.floors), wish.least, wish.zh))
            floors += found
            facts += [{"name": floor.name, "kind": layer, "share": None} for floor in found]
    if floors:
        notes += _weaker(scene)
    return AreaLimits(tuple(floors), tuple(wanted), tuple(notes), tuple(facts))


def _weaker(scene: Scene) -> list[Problem]:
    """Told where a cell counts as served in floors at a lower probability than makes a pixel no gap."""
    asked, enough = scene.params.selection, scene.params.gaps.gap_probability
    if not asked.probability_weighted or asked.probability_levels[0] >= enough:
        return []
    return [Problem("study", "", "", "selection.probability_levels",
                    f"按概率计入时,需求格的概率达到 {asked.probability_levels[0]:g} 就算服务到,低于空洞门限 {enough:g},"
                    "最低比例和达标个数可能估得偏高", "规划后仍按规则判定;需要时把最低一级提高到空洞门限")]


def pixel_cells(cells: DemandCells, gap: NDArray[np.bool_], cell_m: float, pixel_m: float) -> NDArray[np.int32]:
    """Number of the demand cell that each gap pixel was gathered on, shape (rows * cols,); -1 = on none.

    >>> gap = np.array([[True, False, True, True]])
    >>> some = DemandCells(np.array([0, 0]), np.array([0, 2]), np.ones(2), np.ones(2))
    >>> pixel_cells(some, gap, 20.0, 10.0).tolist()
    [0, -1, 1, 1]
    """
    step = max(1, round(cell_m / pixel_m))
    across = -(-gap.shape[1] // step)
    known = (cells.rows // step) * across + cells.cols // step
    out = np.full(gap.size, -1, dtype=np.int32)
    rows, cols = np.nonzero(gap)
    if len(known):
        block = (rows // step) * across + cols // step
        at = np.minimum(np.searchsorted(known, block), len(known) - 1)
        out[rows * gap.shape[1] + cols] = np.where(known[at] == block, at, -1)
    return out


def _share_floors(ground: _Ground, asked: ShareParams, places: NDArray[np.int64], key: str,
                  ) -> tuple[list[Floor], list[Mapping[str, Any]], list[Problem]]:
    """A required floor for each area that has not the share yet; a gap pixel counts as covered when its cell is.

    With them what is known of each area, those that have the share today included, and notes.
    """
    scene, areas = ground.scene, ground.scene.tables[asked.layer].iloc[places]
    if asked.measure == "points":
        points = _share_points(ground, asked.layer, places)
        known = ~np.isnan(points.probability)
        total = np.bincount(points.area[known], minlength=len(places)).astype(np.float64)
        good = known & (points.probability >= scene.params.gaps.gap_probability)
        covered = np.bincount(points.area[good], minlength=len(places)).astype(np.float64)
        weights = _point_weights(points, known & ~good, len(places), ground.cells)
    else:
        pixels = scene.pixels[asked.layer].rows(places)
        each = _measure(scene, asked.measure)
        known_part = np.where(np.isnan(ground.probability), 0.0, each)
        total = pixels.sums(known_part).to_numpy()
        covered = pixels.sums(np.where(ground.probability >= scene.params.gaps.gap_probability, each, 0.0)).to_numpy()
        weights = _cell_weights(pixels, known_part.ravel(), ground)
    zh = MEASURE_ZH.get(asked.measure, scene.demand.zh.partition("(")[0])
    floors: list[Floor] = []
    facts: list[Mapping[str, Any]] = []
    nothing, weak = [], []
    for number, (area_id, label) in enumerate(zip(areas.index.astype(str), _labels(areas), strict=True)):
        if total[number] <= 0:
            nothing.append(label)
            continue
        least = asked.least_share * float(total[number]) - float(covered[number])
        name, met = f"{key}/{asked.layer}:{area_id}", least <= _SIDE * total[number]
        words = f"{label} {zh}覆盖率不少于 {100 * asked.least_share:g}%"
        facts.append({"name": name, "zh": words, "kind": asked.layer, "share": asked.least_share, "met": bool(met),
                      "covered": float(covered[number]), "total": float(total[number])})
        if met:
            continue
        floor = _floor(weights, number, name, least, words)
        floors.append(floor)
        if floor.weights.sum() < least * (1 - _SIDE):
            weak.append(label)
    notes = [_note(f"selection.{key}", nothing, f"区域内没有{zh}数据,没有计入最低覆盖比例", "核对区域和图层")] if nothing else []
    if weak:
        notes.append(_note(f"selection.{key}", weak, "空洞全部覆盖也达不到要求的比例(另有范围外或无权重的未覆盖部分)", "降低 least_share"))
    return floors, facts, notes


def _note(key: str, labels: list[str], reason: str, remedy: str) -> Problem:
    more = f" 等共 {len(labels)} 个" if len(labels) > 20 else ""
    return Problem("study", "", "、".join(labels[:20]) + more, key, reason, remedy)


def _labels(areas: gpd.GeoDataFrame) -> list[str]:
    names = areas["name"].fillna("").astype(str) if "name" in areas else pd.Series("", index=areas.index)
    return [name or str(area_id) for area_id, name in zip(areas.index, names, strict=True)]


def _measure(scene: Scene, measure: str) -> NDArray[np.float64]:
    """What each pixel counts: people (or what stands in for them), or its area in m2."""
    if measure == "area":
        return np.full(scene.demand.per_pixel.shape, pixel_size_m(scene.demand.geobox) ** 2)
    return np.nan_to_num(scene.demand.per_pixel.astype(np.float64))


def _cell_weights(pixels: AreaPixels, each: NDArray[np.float64], ground: _Ground) -> sp.csr_matrix:
    """Sum of a value per pixel over the gap pixels of each cell inside each area, areas x cells."""
    fractions = pixels.fractions
    cell = ground.cell[fractions.indices]
    value = fractions.data * each[fractions.indices]
    area = np.repeat(np.arange(len(pixels.index)), np.diff(fractions.indptr))
    on = (cell >= 0) & (value > 0)
    return sp.csr_matrix((value[on], (area[on], cell[on])), shape=(len(pixels.index), ground.cells))


def _point_weights(points: _Points, open_: NDArray[np.bool_], areas: int, cells: int) -> sp.csr_matrix:
    """Number of uncovered points in each cell of each area, areas x cells."""
    on = open_ & (points.cell >= 0)
    return sp.csr_matrix((np.ones(int(on.sum())), (points.area[on], points.cell[on])), shape=(areas, cells))


def _floor(weights: sp.csr_matrix, number: int, name: str, least: float, zh: str, required: bool = True) -> Floor:
    weights.sort_indices()
    part = slice(int(weights.indptr[number]), int(weights.indptr[number + 1]))
    return Floor(name, weights.indices[part].astype(np.int64), weights.data[part].astype(np.float64), least, required,
                 zh)


def _share_points(ground: _Ground, layer: str, places: NDArray[np.int64]) -> _Points:
    """Points of some areas: those that the rule of the layer asks for, else all there are."""
    rule = ground.scene.rules[layer]
    if layer == "zones":
        return _zone_points(ground, places, rule)
    points = ground.scene.tables["village_points"]
    points = asked_points(points, rule) if rule.measure == "points" else points
    return _village_points(ground, places, points)


def _village_points(ground: _Ground, places: NDArray[np.int64], points: gpd.GeoDataFrame) -> _Points:
    codes = ground.scene.tables["villages"].index[places].astype(str)
    area = codes.get_indexer(pd.Index(points["village_code"].astype(str)))
    there = (area >= 0) & points["exists"].astype(bool).to_numpy()
    return _located(ground, points[there], area[there])


def _zone_points(ground: _Ground, places: NDArray[np.int64], rule: Rule) -> _Points:
    points, zones = key_points(ground.scene), ground.scene.tables["zones"].iloc[places]
    points = points[points.geometry.notna()]
    found = points_of_areas(zones, points, np.ones(len(points)), rule)
    return _located(ground, points.iloc[found.point], found.area)


def _located(ground: _Ground, points: gpd.GeoDataFrame, area: NDArray[np.int64]) -> _Points:
    demand = ground.scene.demand
    cell = np.full(len(points), -1, dtype=np.int32)
    placed = np.flatnonzero(~(points.geometry.isna() | points.geometry.is_empty).to_numpy())
    where = points.geometry.iloc[placed]
    rows, cols = pixel_of(demand.geobox, where.x.to_numpy(), where.y.to_numpy())
    on = inside(demand.geobox, rows, cols)
    cell[placed[on]] = ground.cell[rows[on] * demand.geobox.shape[1] + cols[on]]
    return _Points(np.asarray(area, dtype=np.int64), cell, point_probability(points, ground.probability, demand))


def _passing(ground: _Ground, before: State, layer: str, count: int,
             ) -> tuple[list[Floor], Wanted | None, Mapping[str, Any], list[Problem]]:
    """Floors of the areas that fail and can be made to pass, and the wish that enough of them do.

    No more is wished for than these cells can make pass: what they do not tell is no proof that there is no plan.
    """
    judged, key = before.areas[layer], f"selection.passing.{layer}"
    passed = int((judged["verdict"] == "pass").sum())
    zh = f"{LAYER_ZH[layer]}达标不少于 {count} 个"
    fact = {"name": f"passing/{layer}", "zh": zh, "kind": layer, "passed": passed, "count": count, "met": True}
    if passed >= count:
        return [], None, fact, []
    floors: list[Floor] = []
    notes: list[Problem] = []
    for rule_id, table in judged[(judged["verdict"] == "fail").to_numpy(bool)].groupby("rule", sort=True):
        rule = ground.scene.all_rules[str(rule_id)]
        why = why_not_modelled(rule, ground.scene.params.coverage.threshold_dbm)
        if why:
            notes.append(_note(key, _labels(ground.scene.tables[layer].loc[table.index]),
                               f"{why},选址时无法估算是否达标,没有计入", "规划后仍按规则判定"))
            continue
        found = _rule_floors(ground, layer, table, rule)
        floors += found
        lost = table.index[~table.index.astype(str).isin([floor.name.split(":", 1)[1] for floor in found])]
        if len(lost):
            notes.append(_note(key, _labels(ground.scene.tables[layer].loc[lost]),
                               "按需求格估算,候选站址能服务的空洞全部覆盖也达不到规则要求,没有计入",
                               "规划后仍按规则判定"))
    least = min(count - passed, len(floors))
    told = f"现已达标 {passed} 个,新建须再使 {least} 个达标"
    if passed + least < count:
        most = f"按需求格最多能核算 {passed + least} 个,其余由选址后的规则判定"
        notes.append(Problem("study", "", "", key, f"要求 {count} 个{LAYER_ZH[layer]}达标;现已达标 {passed} 个,{most}",
                             "规划后核对达标个数;不足时增加站址,或降低要求"))
        told = f"现已达标 {passed} 个;{most}"
    zh = f"{zh}({told})"
    fact |= {"zh": zh, "met": not least}
    if not least:
        return [], None, fact, notes
    return floors, Wanted(f"passing/{layer}", tuple(range(len(floors))), least, zh), fact, notes


def why_not_modelled(rule: Rule, threshold_dbm: float) -> str:
    """What a rule asks for that the cells of demand do not tell, in Chinese; empty where they do.

    >>> from siteplan.gaps import rule_named
    >>> why_not_modelled(rule_named("area_share_95"), -105.0), why_not_modelled(rule_named("area_98_-90"), -105.0)
    ('', '规则按-90dBm门限判定')
    """
    asks = asks_beyond(rule)
    if not asks and rule.threshold_dbm is not None and rule.threshold_dbm != threshold_dbm:
        return f"规则按{rule.threshold_dbm:g}dBm门限判定"
    return asks


def _rule_floors(ground: _Ground, layer: str, judged: pd.DataFrame, rule: Rule) -> list[Floor]:
    """A floor for each failing area that its cells can make pass: what its rule lacks, in the rule's measure."""
    areas = ground.scene.tables[layer]
    places = areas.index.get_indexer(judged.index)
    if rule.measure in ("area_share", "demand_share"):
        pixels = ground.scene.pixels[layer].rows(places)
        each = _measure(ground.scene, "area" if rule.measure == "area_share" else "people")
        known = np.where(np.isnan(ground.probability), 0.0, each)
        chance = np.nan_to_num(ground.probability.astype(np.float64))
        part = judged["known_share"].to_numpy(np.float64)
        total = pixels.sums(known).to_numpy() / np.where(part > 0, part, 1.0)
        least = rule.minimum * total - pixels.sums(known * chance).to_numpy()
        weights = _cell_weights(pixels, (known * (1.0 - chance)).ravel(), ground)
    else:
        points = _zone_points(ground, places, rule) if rule.measure == "key_points" else _village_points(
            ground, places, asked_points(ground.scene.tables["village_points"], rule))
        least = _lacking_points(ground, judged, rule, points)
        open_ = points.probability < rule.point_probability
        weights = _point_weights(points, open_, len(places), ground.cells)
    attainable = np.asarray(weights @ ground.reached.astype(np.float64)).ravel()
    labels = _labels(areas.iloc[places])
    return [_floor(weights, number, f"passing/{layer}:{area_id}", float(least[number]),
                   f"{labels[number]} 达标({rule.zh})", required=False)
            for number, area_id in enumerate(judged.index.astype(str))
            if 0 < least[number] <= attainable[number] * (1 + _SIDE)]


def _lacking_points(ground: _Ground, judged: pd.DataFrame, rule: Rule, points: _Points) -> NDArray[np.float64]:
    """Number of points that have to be covered besides, for each area; inf where unknown ones leave it open."""
    count = len(judged)
    total = np.bincount(points.area, minlength=count)
    good = np.bincount(points.area[points.probability >= rule.point_probability], minlength=count)
    needed = np.array([math.ceil(rule.minimum * number - _SIDE) for number in total])
    lost = np.bincount(points.area[np.isnan(points.probability)], minlength=count) > 0
    if rule.measure == "points":
        lost |= ~judged.index.isin(_lacks(ground.scene, judged, ground.probability, rule).index)
    return np.where(lost, np.inf, (needed - good).astype(np.float64))

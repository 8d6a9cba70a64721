"""Gap areas of a scene with their causes, and its roads, rail and rivers judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.gaps import (
    GapAreas,
    GapPlaces,
    LineResults,
    assess_lines,
    carry_ids,
    counted_complaints,
    earlier_ids,
    find_gap_areas,
    find_indoor_gaps,
    gap_causes,
    gap_mask,
    judge_operators,
    with_causes,
)
from siteplan.gaps.judging.areas import asked_points
from siteplan.gaps.judging.key_points import points_of_areas
from siteplan.grid import rasterize
from siteplan.input_ledger import InputLedger
from siteplan.study._areas import key_points, serving_sites
from siteplan.study._scene import Scene
from siteplan.study._signals import Signals, all_sectors

LINE_LAYERS = ("roads", "rail", "water")


@dataclass(frozen=True)
class SceneGaps:
    """Gap areas outdoors and indoors, with their numbers for the indicators."""

    outdoors: gpd.GeoDataFrame
    indoors: gpd.GeoDataFrame
    indicators: Mapping[str, Any]


def rule_points(scene: Scene) -> gpd.GeoDataFrame:
    """Village points that there are, of the kinds that the rule of the villages asks for."""
    points = asked_points(scene.tables["village_points"], scene.rules["villages"])
    return points[points["exists"] & points.geometry.notna()]


def zone_points(scene: Scene) -> gpd.GeoDataFrame:
    """Key points of the zones that are judged by them, each once."""
    rules, zones = scene.area_rules["zones"], scene.tables["zones"]
    judged = {rule_id: scene.all_rules[rule_id] for rule_id in rules.unique()
              if scene.all_rules[rule_id].measure == "key_points"}
    given = key_points(scene)
    given = given[given.geometry.notna()]
    chosen = np.zeros(len(given), dtype=bool)
    for rule_id, rule in judged.items():
        chosen[points_of_areas(zones[rules == rule_id], given, np.ones(len(given)), rule).point] = True
    return given[chosen]


def _places(scene: Scene, signals: Signals) -> GapPlaces:
    tables = scene.tables
    told = tables["complaints"]
    told = told[counted_complaints(told, scene.params.gaps.complaints_since)]
    points = pd.concat([rule_points(scene)[["geometry"]], zone_points(scene)[["geometry"]]])
    return GapPlaces(
        serving_sites(scene, "5G", signals.sites), tables["villages"], tables["zones"], tables["towns"],
        tables["facilities"], told, gpd.GeoDataFrame(points, crs=scene.crs), scene.venues)


def _per_person(scene: Scene) -> float:
    """Demand that stands for one person in the weights of gap areas."""
    chosen = scene.params.selection
    land = 1e6 / chosen.area_people_per_km2 if chosen.area_people_per_km2 > 0 else 1e9
    return {"people": 1.0, "floor_area_m2": chosen.floor_area_per_person_m2, "area_m2": land}[scene.demand.kind]


def find_scene_gaps(scene: Scene, signals: Signals, earlier: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame] | None,
                    ) -> SceneGaps:
    """Gap areas of any 5G network, those of ``earlier`` with the ids they had; causes for those outdoors."""
    best, params = signals.coverage.any_5g(), scene.params
    places = _places(scene, signals)
    weights: dict[str, Any] = {"demand_per_person": _per_person(scene), "point_people": params.selection.point_people}
    mask = gap_mask(best.probability, scene.demand.geobox, scene.boundary, params.gaps.gap_probability)
    found = find_gap_areas(mask, scene.demand, params.gaps, places, **weights)
    sectors = all_sectors(scene, signals.sites)
    causes = gap_causes(found, best.server, sectors.loc[list(signals.coverage.sector_ids)], scene.surface,
                        receiver_height_m=params.coverage.receiver_height_m)
    outdoors, indoors = with_causes(found.table, causes), found.table.iloc[:0]
    indicators: dict[str, Any] = _sums("gap", found)
    if best.indoor_probability is not None:
        inside = ~np.isnan(rasterize(scene.boundary.geometry, np.ones(len(scene.boundary)), scene.demand.geobox,
                                     merge="last"))
        built = find_indoor_gaps(best.probability, best.indoor_probability, scene.demand, params.gaps, places,
                                 within=inside, **weights)
        indoors = built.table
        indicators |= _sums("indoor_gap", built)
    if earlier is not None:
        outdoors, indoors = (carry_ids(old, new.assign(earlier_gap=earlier_ids(old, new)))
                             for old, new in zip(earlier, (outdoors, indoors), strict=True))
    return SceneGaps(outdoors, indoors, indicators)


def _sums(name: str, found: GapAreas) -> dict[str, Any]:
    """Number and area of gap areas, and of the pieces too small to be listed."""
    table, rest = found.table, found.left_out
    return {f"{name}_count": len(table), f"{name}_area_m2": float(table["area_m2"].sum()),
            f"{name}_demand": float(table["demand"].sum()), f"{name}_small_count": rest.count,
            f"{name}_small_area_m2": rest.area_m2, f"{name}_small_demand": rest.demand}


def tell_skipped(lines: LineResults, ledger: InputLedger) -> None:
    """One note for the lines of a layer that are judged by nothing, by reason."""
    for (layer, reason), rows in lines.skipped.groupby(["layer", "reason"], sort=True):
        named = "、".join(sorted({str(name) for name in rows["name"] if name})[:5])
        ledger.add(str(layer), "", f"共 {len(rows)} 条", "", named, "note", str(reason), "补填后才参与线路判定;不需要时无需处理")


def judge_lines(scene: Scene, signals: Signals) -> LineResults:
    """Roads, rail and rivers under the rule of lines, inside the boundary."""
    rule = scene.rules["lines"]
    parts = []
    for name in LINE_LAYERS:
        table = scene.tables[name].assign(layer=name)
        columns = [column for column in ("name", "layer", "road_class", "geometry") if column in table]
        parts.append(table.set_axis(name + ":" + table.index.astype("str"), axis=0)[columns])
    lines = gpd.GeoDataFrame(pd.concat(parts), geometry="geometry", crs=scene.crs)
    given: dict[str, Any] = {"boundary": scene.boundary, "gap_probability": scene.params.gaps.gap_probability}
    found = assess_lines(lines, signals.any_network(rule).probability, scene.surface.geobox, rule, **given)
    if rule.operators == "any":
        return found
    alone = {name: assess_lines(lines, signal.probability, scene.surface.geobox, rule, **given).sections
             for name, signal in signals.networks(rule).items()}
    if not alone:
        return found
    networks = pd.concat(alone, names=["network"]).swaplevel()
    return found._replace(sections=judge_operators(found.sections, networks, rule))

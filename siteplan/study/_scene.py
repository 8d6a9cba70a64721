"""Scene: what every stage after ingest works on - grid, surface, demand, sectors, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Calibration, Equipment, below_roof, on_grid, sectors_of_stations
from siteplan.coverage._equipment import equipment_of
from siteplan.coverage._sectors import antenna_names
from siteplan.decisions import Decisions, read_decisions
from siteplan.errors import LayerError, Problem
from siteplan.gaps import AreaPixels, Demand, Rule, area_pixels, build_demand, people_points, rule_named, rules_of
from siteplan.grid import study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.layers import Layers
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, GapParams, StudyParams
from siteplan.study._calibration import tell_calibration
from siteplan.study._check import file_facts
from siteplan.study._networks import tell_new_networks
from siteplan.study._notes import tell_area_faults, tell_masts, tell_notes, tell_people, tell_validity
from siteplan.study._places import place_pixels, tell_unplaced, with_places
from siteplan.study._wish_names import check_names
from siteplan.surface import Surface, build_surface
from siteplan.venues import VenueCatalogue, load_venues

AREA_LAYERS = ("villages", "zones")
ROOF_CLEARANCE_M = 3.0
"""An antenna on a roof stands this far above it (the usual roof pole), m."""


_EDGE_M = 50.0
"""A station outside the boundary stands at least this far inside the grid, m."""


@dataclass(frozen=True)
class Scene:
    """The study area, ready for the stages.

    Attributes
    ----------
    params : StudyParams
    tables : mapping of str -> GeoDataFrame
        Every vector layer in the study CRS (empty where absent).
    boundary : GeoDataFrame
        One or more polygons; made from the areas when the study has no boundary layer.
    surface : Surface
    demand : Demand
    sectors : DataFrame
        Sectors of the existing stations on the grid.
    networks : tuple of str
        5G networks there are, sorted; empty when there is none yet.
    equipment : Equipment
    calibration : Calibration or None
    rules : mapping
        ``villages``, ``zones``, ``lines``: the rule that judges where no other is named.
    all_rules : mapping
        Rules of the package and of the study by id.
    area_rules : mapping
        ``villages``, ``zones``: id of the rule of each area.
    ledger : InputLedger
        Lines of ingest and of the stages here.
    inputs : tuple of mapping
        Facts of every input file, each with its verdict.
    pixels : mapping of str to AreaPixels
        Pixel fractions of ``villages``, ``zones``, the whole ``boundary``, and of ``counties`` and ``towns`` where they
        are known.
    crs : str
    venues : VenueCatalogue
    decisions : Decisions
        What owners and meetings said of sites.
    """

    params: StudyParams
    tables: Mapping[str, gpd.GeoDataFrame]
    boundary: gpd.GeoDataFrame
    surface: Surface
    demand: Demand
    sectors: pd.DataFrame
    networks: tuple[str, ...]
    equipment: Equipment
    calibration: Calibration | None
    rules: Mapping[str, Rule]
    all_rules: Mapping[str, Rule]
    area_rules: Mapping[str, pd.Series]
    ledger: InputLedger
    inputs: tuple[Mapping[str, Any], ...]
    pixels: Mapping[str, AreaPixels]
    crs: str
    venues: VenueCatalogue
    decisions: Decisions


def _boundary_of(tables: Mapping[str, gpd.GeoDataFrame], ledger: InputLedger) -> gpd.GeoDataFrame:
    """The boundary layer, or the union of the areas that are judged."""
    boundary = tables["boundary"]
    if len(boundary):
        return boundary
    name = next(name for name in AREA_LAYERS if len(tables[name]))
    union = tables[name].geometry.union_all()
    ledger.add("boundary", "", "", "", name, "assumed", "未提供规划范围,用该图层各面的并集代替", "提供 boundary 图层")
    return gpd.GeoDataFrame({"name": ["规划范围(由区域合并)"]}, geometry=[union], crs=tables[name].crs,
                            index=pd.Index(["boundary"], name="boundary_id"))


def _as_5g(stations: gpd.GeoDataFrame, equipment: Equipment, ledger: InputLedger) -> gpd.GeoDataFrame:
    """4G stations that stand in for 5G ones, where the study says so; their carriers stay as wide as they are.

    What they are stays in ``given_technology``: the signal is that of 5G, their number is not.
    """
    count = int((stations["technology"] == "4G").sum())
    if count:
        ledger.add("stations", "", f"共 {count} 行", "technology", "4G", "assumed",
                   "研究文件要求以4G小区代替5G小区(stand_in_5g)", "取得5G工参后去掉该设置")
    sectors = sectors_of_stations(stations, equipment)
    return stations.assign(technology="5G", given_technology=stations["technology"],
                           bandwidth_mhz=sectors["bandwidth_mhz"].to_numpy(), scs_khz=sectors["scs_khz"].to_numpy())


def _with_known_antennas(stations: gpd.GeoDataFrame, equipment: Equipment, ledger: InputLedger) -> gpd.GeoDataFrame:
    """Stations whose ``antenna`` the equipment has; one ledger line for each other name and file."""
    named = antenna_names(stations["antenna"], equipment)
    unknown = stations[stations["antenna"].notna() & named.isna()]
    for (file, name), rows in unknown.groupby(["source_file", "antenna"], sort=True):
        row = rows["source_row"].iloc[0] if len(rows) == 1 else f"共 {len(rows)} 行"
        ledger.add("stations", str(file), row, "antenna", name, "assumed", "设备表没有这个天线型号,按站型、制式和频率的常用天线",
                   "在研究文件 [equipment.antennas] 增加这个型号(可用实测方向图),或改用设备表的名称")
    return stations.assign(antenna=named)


def whole(boundary: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The boundary as one area."""
    return gpd.GeoDataFrame(geometry=[boundary.geometry.union_all()], crs=boundary.crs)


def _tell_patterns(equipment: Equipment, ledger: InputLedger) -> None:
    """What was doubtful in the measured patterns; one line for each, whichever antennas name it."""
    for file, pattern in equipment.patterns.items():
        for note in pattern.notes:
            ledger.add("study", file, "", "equipment.antennas", pattern.name, "note", note, "核对方向图文件")


def _raise_above_roofs(surface: Surface, stations: gpd.GeoDataFrame, ledger: InputLedger) -> gpd.GeoDataFrame:
    """Macro antennas that would hang inside the building on their pixel, put above its roof; one ledger line a mast."""
    macro = stations[stations["kind"] == "macro"]
    sectors = sectors_of_stations(macro)
    below = below_roof(surface, sectors[on_grid(surface, sectors)])
    below = below[below > 0]
    if below.empty:
        return stations
    old = stations["antenna_height_m"]
    new = np.round(old[below.index] + below + ROOF_CLEARANCE_M, 1)
    for source_site, rows in stations.loc[below.index].groupby("source_site"):
        first = rows.index[0]
        ledger.add("stations", str(rows["source_file"].iloc[0]), "、".join(rows["source_row"]), "antenna_height_m",
                   f"{source_site}:{old[first]:g} 米", "assumed",
                   f"挂高低于所在位置的建筑({old[first] + below[first]:.0f} 米),按 {new[first]:g} 米计算",
                   "核对挂高(天线离地高度)、坐标和建筑高度;不需要时设 coverage.raise_above_roofs = false")
    return stations.assign(antenna_height_m=old.where(~old.index.isin(new.index), new.reindex(old.index)))


def _sectors_on_grid(surface: Surface, stations: gpd.GeoDataFrame, equipment: Equipment, ledger: InputLedger,
                     ) -> pd.DataFrame:
    """Sectors of the stations; those off the known surface are refused with a ledger line."""
    sectors = sectors_of_stations(stations, equipment)
    inside = on_grid(surface, sectors)
    for sector_id in sectors.index[~inside]:
        ledger.add("stations", str(stations.at[sector_id, "source_file"]), stations.at[sector_id, "source_row"],
                   "geometry", sector_id, "refused", "基站在计算范围之外,不参与覆盖计算", "核对坐标,或加大 study.margin_m")
    return sectors[inside]


def _extent(params: StudyParams, boundary: gpd.GeoDataFrame, stations: gpd.GeoDataFrame,
            ) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of the grid: the boundary, its margin, and every 5G station outside that reaches in."""
    margin, range_m = params.study.margin_m, params.coverage
    left, bottom, right, top = boundary.total_bounds
    box = np.array([left - margin, bottom - margin, right + margin, top + margin])
    reach = np.where(stations["kind"] == "micro", range_m.micro_range_m, range_m.max_range_m)
    serves = (stations["technology"] == "5G") & (stations.distance(boundary.geometry.union_all()) <= reach)
    if serves.any():
        points = stations[serves].total_bounds
        box = np.r_[np.minimum(box[:2], points[:2] - _EDGE_M), np.maximum(box[2:], points[2:] + _EDGE_M)]
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _area_rules(params: GapParams, tables: Mapping[str, gpd.GeoDataFrame], rules: Mapping[str, Rule],
                ledger: InputLedger) -> dict[str, pd.Series]:
    """Id of the rule of every village and zone; zones by their type."""
    kinds = tables["zones"]["zone_type"].astype("object")
    there = sorted({kind for kind in kinds if isinstance(kind, str)})
    for kind in params.zone_rules:
        if kind not in there:
            ledger.add("study", "", "", "gaps.zone_rules", kind, "note", "没有这一类型的重点区域,规则没有用上",
                       f"核对类型的写法;有:{'、'.join(there) or '(没有)'}")
    zones = kinds.map(lambda kind: params.zone_rules.get(kind, rules["zones"].id) if isinstance(kind, str)
                      else rules["zones"].id)
    return {"villages": pd.Series(rules["villages"].id, index=tables["villages"].index, dtype="object"),
            "zones": zones.astype("object")}


def build_scene(params: StudyParams, layers: Layers, equipment: Equipment | None = None,
                calibration: Calibration | None = None, venues: VenueCatalogue | None = None) -> Scene:
    """Grid, surface, demand and sectors of a study from its layers.

    Parameters
    ----------
    params : StudyParams
    layers : Layers
    equipment : Equipment, optional
        ``Study.equipment``; made of the settings when absent, which does for studies without measured patterns.
    calibration : Calibration, optional
        ``Study.calibration``.
    venues : VenueCatalogue, optional
        ``Study.venues``; the package's when absent.

    Raises
    ------
    LayerError
        Neither villages nor zones have a usable row.
    StudyError
        Names in ``[selection]`` that no layer knows, all of them.
    """
    ledger = InputLedger(layers.ledger)
    tables = {name: layers.table(name) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    for name in AREA_LAYERS:  # a village next door is context: never counted
        tables[name] = with_places(tables[name][tables[name]["inside"].fillna(True).astype(bool)], tables)
    if not any(len(tables[name]) for name in AREA_LAYERS):
        raise LayerError("必需图层不能使用:", [
            Problem("villages", "", "", "", "行政村和重点区域均无可用的面", "至少提供其中一个面图层")])
    known_venues = load_venues() if venues is None else venues
    check_names(params, tables, known_venues)
    boundary = _boundary_of(tables, ledger)
    table = equipment_of(params.equipment, {}) if equipment is None else equipment
    _tell_patterns(table, ledger)
    stations = _with_known_antennas(tables["stations"], table, ledger)
    if params.study.stand_in_5g:
        stations = _as_5g(stations, table, ledger)
    geobox = study_geobox(_extent(params, boundary, stations), layers.crs, params.study.resolution_m)
    surface = build_surface(geobox, tables["buildings"], layers.raster("ground"), layers.raster("heights"), ledger,
                            layers.raster("clutter"))
    if params.coverage.raise_above_roofs:
        stations = _raise_above_roofs(surface, stations, ledger)
    sectors = _sectors_on_grid(surface, stations, table, ledger)
    people = layers.raster("population")
    population = tables["population"] if people is None else people_points(people, layers.crs)
    demand = build_demand(geobox, boundary, population, tables["buildings"], params.gaps.people)
    five = sectors[sectors["technology"] == "5G"]
    networks = tuple(sorted({name for text in five["networks"].unique() for name in text.split("|")}))
    known = rules_of(params.gaps.rules)
    rules = {name: rule_named(rule_id, known) for name, rule_id in (
        ("villages", params.gaps.village_rule), ("zones", params.gaps.zone_rule), ("lines", params.gaps.line_rule))}
    pixels = {name: area_pixels(geobox, tables[name]) for name in AREA_LAYERS}
    pixels["boundary"] = area_pixels(geobox, whole(boundary))
    pixels |= place_pixels(tables, boundary, geobox)
    for name in AREA_LAYERS:
        tell_area_faults(name, tables[name], demand, pixels[name], surface, ledger)
    tell_unplaced({**tables, "stations": stations}, pixels, ledger)
    classes = ("clutter",) if calibration is not None and calibration.clutter_db else ()
    tell_notes(layers, tables, rules["villages"], ledger, classes)
    tell_people(tables, demand, networks, ledger)
    tell_new_networks(params.candidates.serves, networks, ledger)
    tell_masts(surface, sectors, stations, table, ledger)
    used = tell_calibration(calibration, surface, sectors, table, params.coverage, ledger)
    tell_validity(surface, sectors, table, params.coverage, ledger, used)
    return Scene(params, {**tables, "stations": stations}, boundary, surface, demand, sectors, networks,
                 table, used, rules, known, _area_rules(params.gaps, tables, rules, ledger), ledger,
                 file_facts(layers), pixels, str(layers.crs), known_venues,
                 read_decisions(tables["decisions"], ledger))

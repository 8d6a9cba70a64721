"""Scene: what every stage after ingest works on - grid, surface, demand, sectors, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from siteplan.coverage import Equipment, load_equipment, on_grid, sectors_of_stations
from siteplan.errors import LayerError, Problem
from siteplan.gaps import KIND_ZH, AreaPixels, Demand, Rule, area_pixels, build_demand, people_points, rule_named
from siteplan.grid import study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.layers import InputFile, Layers
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, StudyParams
from siteplan.surface import Surface, build_surface

AREA_LAYERS = ("villages", "zones")


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
        5G networks there are; ``("*",)`` when there is none yet.
    equipment : Equipment
    rules : mapping
        ``{"villages": Rule, "zones": Rule}``.
    ledger : InputLedger
        Lines of ingest and of the stages here.
    files : tuple
        Facts of every input file.
    pixels : mapping of str to AreaPixels
        Pixel fractions of ``villages``, ``zones`` and the whole ``boundary``.
    crs : str
    """

    params: StudyParams
    tables: Mapping[str, gpd.GeoDataFrame]
    boundary: gpd.GeoDataFrame
    surface: Surface
    demand: Demand
    sectors: pd.DataFrame
    networks: tuple[str, ...]
    equipment: Equipment
    rules: Mapping[str, Rule]
    ledger: InputLedger
    files: tuple[InputFile, ...]
    pixels: Mapping[str, AreaPixels]
    crs: str


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


def _as_5g(stations: gpd.GeoDataFrame, ledger: InputLedger) -> gpd.GeoDataFrame:
    """4G stations that stand in for 5G ones, where the study says so."""
    count = int((stations["technology"] == "4G").sum())
    if count:
        ledger.add("stations", "", f"共 {count} 行", "technology", "4G", "assumed",
                   "研究文件要求以4G小区代替5G小区(stand_in_5g)", "取得5G工参后去掉该设置")
    return stations.assign(technology="5G")


ABSENT = (
    (("buildings", "heights"), "没有建筑或高度数据:视距按概率计算,没有楼顶候选站址"),
    (("ground",), "没有地面高程:按平地(0米)计算"),
    (("stations",), "没有现有基站:全部区域都是覆盖空洞"),
    (("population",), "没有人口:以建筑面积(没有建筑时以土地面积)代替,指标已注明"),
    (("facilities",), "没有公共设施:没有免费开放场所候选站址"),
    (("poles",), "没有路灯杆:没有灯杆候选站址"),
    (("villages",), "没有行政村:不判定行政村达标"),
    (("zones",), "没有重点区域:不判定重点区域达标"),
    (("restricted",), "没有限制区:未检查候选站址是否位于限制区"),
    (("village_points",), "没有村内点位:按点位判定的规则无法判定"),
)
"""Layers whose absence changes the result, and how."""


def _tell_absent(layers: Layers, ledger: InputLedger) -> None:
    """One ledger note for each absent layer (or pair of layers) that changes the result."""
    for names, effect in ABSENT:
        if not any(layers.has(name) for name in names):
            ledger.add(names[0], "", "", "", "", "note", effect, f"需要时增加 [layers.{names[0]}]")


def _tell_missing_points(tables: Mapping[str, gpd.GeoDataFrame], rule: Rule, ledger: InputLedger) -> None:
    """One note for each village without a row of a kind that the rule asks for: missing data, not "has none"."""
    points = tables["village_points"]
    if points.empty:
        return
    there = set(zip(points["village_code"], points["kind"], strict=True))
    for code in tables["villages"].index:
        for kind in rule.kinds:
            if (code, kind) not in there:
                ledger.add("village_points", "", code, kind, "", "note", f"该村没有“{KIND_ZH[kind]}”一行,按资料缺失处理",
                           "补充点位;确实没有的填一行并在“是否设有”写否")


def _tell_new_networks(serves: list[str], networks: tuple[str, ...], ledger: InputLedger) -> None:
    """A note for each network that new sites shall serve and that no 5G station has: a typo, or a newcomer."""
    for name in serves:
        if name != "*" and name not in networks:
            ledger.add("stations", "", "", "network", name, "note", "新站要服务的网络在现有5G工参中没有,按新网络计算",
                       f"核对 candidates.serves;现有:{'、'.join(networks) or '无'}")


def absent_layers(ledger: InputLedger) -> list[str]:
    """What the notes on absent layers say, for the plan."""
    effects = {effect for _, effect in ABSENT}
    return [line.reason for line in ledger if line.reason in effects]


def whole(boundary: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The boundary as one area."""
    return gpd.GeoDataFrame(geometry=[boundary.geometry.union_all()], crs=boundary.crs)


def _sectors_on_grid(surface: Surface, stations: gpd.GeoDataFrame, ledger: InputLedger) -> pd.DataFrame:
    """Sectors of the stations; those off the known surface are refused with a ledger line."""
    sectors = sectors_of_stations(stations)
    inside = on_grid(surface, sectors)
    for sector_id in sectors.index[~inside]:
        ledger.add("stations", str(stations.at[sector_id, "source_file"]), stations.at[sector_id, "source_row"],
                   "geometry", sector_id, "refused", "基站在计算范围或已知地面之外,不参与覆盖计算", "核对坐标,或加大 study.margin_m")
    return sectors[inside]


def build_scene(params: StudyParams, layers: Layers) -> Scene:
    """Grid, surface, demand and sectors of a study from its layers.

    Raises
    ------
    LayerError
        Neither villages nor zones have a usable row.
    """
    ledger = InputLedger(layers.ledger)
    tables = {name: layers.table(name) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    if not any(len(tables[name]) for name in AREA_LAYERS):
        raise LayerError("必需图层不能使用:", [
            Problem("villages", "", "", "", "行政村和重点区域均无可用的面", "至少提供其中一个面图层")])
    boundary = _boundary_of(tables, ledger)
    margin = params.study.margin_m
    left, bottom, right, top = boundary.total_bounds
    geobox = study_geobox((left - margin, bottom - margin, right + margin, top + margin), layers.crs,
                          params.study.resolution_m)
    surface = build_surface(geobox, tables["buildings"], layers.raster("ground"), layers.raster("heights"), ledger)
    stations = _as_5g(tables["stations"], ledger) if params.study.stand_in_5g else tables["stations"]
    sectors = _sectors_on_grid(surface, stations, ledger)
    people = layers.raster("population")
    population = tables["population"] if people is None else people_points(people, layers.crs)
    demand = build_demand(geobox, boundary, population, tables["buildings"])
    five = sectors[sectors["technology"] == "5G"]
    networks = tuple(sorted(five["networks"].unique()))
    rules = {"villages": rule_named(params.gaps.village_rule), "zones": rule_named(params.gaps.zone_rule)}
    pixels = {name: area_pixels(geobox, tables[name]) for name in AREA_LAYERS}
    pixels["boundary"] = area_pixels(geobox, whole(boundary))
    _tell_absent(layers, ledger)
    _tell_new_networks(params.candidates.serves, networks, ledger)
    _tell_missing_points(tables, rules["villages"], ledger)
    return Scene(params, {**tables, "stations": stations}, boundary, surface, demand, sectors, networks,
                 load_equipment(), rules, ledger, layers.files, pixels, str(layers.crs))

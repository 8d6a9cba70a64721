"""Venues as sites: roofs and land, one candidate per spot, evidence of each, what is taken for granted is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import at, rect, table
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point

from siteplan.candidates import CandidateContext
from siteplan.candidates.kinds import facilities, grounds, roofs
from siteplan.candidates.kinds.same_spot import one_per_spot
from siteplan.candidates.places import concat_sites
from siteplan.candidates.rules.refuse import refuse
from siteplan.candidates.rules.thin import SAME_SPOT_M
from siteplan.coverage import load_equipment
from siteplan.grid import study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.layers import inspect_layers
from siteplan.layers.kinds import empty_table
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams
from siteplan.study import Study
from siteplan.surface import Surface
from siteplan.venues import load_venues

STUDIES = Path(__file__).parents[1] / "data"
SCHOOL = {"name": "一小", "venue_class": "school", "source_file": "sub/facilities.csv", "source_row": "12",
          "class_rule": "name:小学", "class_confidence": 0.9, "owner": "某镇一小", "department": "教育和体育局",
          "department_source": "given"}


def context(surface: Surface, **layers: Any) -> CandidateContext:
    tables = {name: table(name, layers.get(name, {})) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    return CandidateContext(tables, tables["boundary"], surface, np.ones(surface.geobox.shape, bool), load_venues(),
                            load_equipment(), CandidateParams(), InputLedger())


def house(left: float, bottom: float, size: float = 40.0, height: float = 21.0, **more: Any) -> Mapping[str, Any]:
    return {"geometry": rect(left, bottom, left + size, bottom + size), "height_m": height, "use": "public",
            "height_source": "measured", **more}


def told(given_context: CandidateContext) -> list[tuple[str, str, str]]:
    return [(line.layer, line.row, line.field) for line in given_context.ledger]


def test_a_mall_with_ten_clinics_gives_one_roof(flat: Surface) -> None:
    clinics = {f"C{n}": {"geometry": at(101 + 9 * n, 105), "name": f"{n}号门诊", "venue_class": "private_clinic"}
               for n in range(10)}
    town = context(flat, buildings={"B1": house(100, 100, size=100)}, facilities=clinics)
    sites = facilities.propose(town)
    assert sites["status"].tolist() == ["candidate"] + ["refused"] * 9
    assert (sites["refusal_code"][1:] == "same_spot").all()
    assert sites["reason"].iloc[5] == "与“0号门诊”在同一建筑 B1,由 V-facility:C0 代表"
    assert sites["evidence"].iloc[0].endswith("同址另有 9 处场所")
    assert ("facilities", "共 9 行", "geometry") in told(town)


def test_a_campus_gives_a_candidate_for_each_building(flat: Surface) -> None:
    halls = {f"B{n}": house(100 * n, 100) for n in range(3)}
    venues = {f"S{n}": {**SCHOOL, "geometry": at(100 * n + 20, 120)} for n in range(3)}
    sites = facilities.propose(context(flat, buildings=halls, facilities=venues))
    assert (sites["status"] == "candidate").all()
    assert sites["roof_area_m2"].tolist() == [1600.0] * 3


@pytest.mark.parametrize(("apart", "refused"), [(4.9, 1), (5.1, 0)])
def test_venues_on_one_spot_without_a_building(flat: Surface, apart: float, refused: int) -> None:
    venues = {"A": {"geometry": at(100, 100), "venue_class": "park"},
              "B": {"geometry": at(100 + apart, 100), "venue_class": "municipal"}}
    sites = facilities.propose(context(flat, facilities=venues))
    assert (sites["status"] == "refused").sum() == refused


@pytest.mark.parametrize(("east", "refused"), [(144.0, 1), (160.0, 0)])
def test_a_venue_well_outside_a_house_has_a_roof_of_its_own(flat: Surface, east: float, refused: int) -> None:
    """The house ends at 140 m. 20 m outside, the school takes its height and stays; 4 m outside it counts as inside."""
    venues = {"clinic": {"geometry": at(105, 105), "venue_class": "clinic"},
              "school": {"geometry": at(east, 120), "venue_class": "school"}}
    sites = facilities.propose(context(flat, buildings={"B1": house(100, 100)}, facilities=venues))
    assert (sites["status"] == "refused").sum() == refused
    assert sites["antenna_height_m"].tolist() == [25.0, 25.0]


@pytest.mark.parametrize(("first", "second", "winner"), [
    ({"venue_class": "school"}, {"venue_class": "government"}, "B"),                     # better tier
    ({"venue_class": "school"}, {"venue_class": "school", "department": "某局", "department_source": "given"}, "B"),
    ({"venue_class": "school"}, {"venue_class": "school", "department": "某局", "department_source": "class"}, "A"),
    ({"venue_class": "park"}, {"venue_class": "school", "storeys": 4.0}, "B"),           # a roof before land
    ({"venue_class": "school"}, {"venue_class": "school"}, "A"),                         # id
    ({"venue_class": "hazard"}, {"venue_class": "other"}, "both"),                       # takes no site, hides none
])
def test_who_stands_for_a_spot(flat: Surface, first: dict[str, Any], second: dict[str, Any], winner: str) -> None:
    venues = {"A": {"geometry": at(100, 100), **first}, "B": {"geometry": at(102, 100), **second}}
    sites = facilities.propose(context(flat, facilities=venues))
    kept = sites.index[sites["status"] == "candidate"].str[-1].tolist()
    assert kept == (["A", "B"] if winner == "both" else [winner])


def test_a_neighbour_may_stand_for_one_that_stands_for_a_roof(flat: Surface) -> None:
    """The school stands for the shop in its house; the town hall 3 m outside stands for both."""
    venues = {"shop": {"geometry": at(105, 105), "venue_class": "commercial"},
              "school": {"geometry": at(139, 105), "venue_class": "school"},
              "hall": {"geometry": at(142, 105), "venue_class": "government"}}
    town = context(flat, buildings={"B1": house(100, 100), "B2": house(142, 100)}, facilities=venues)
    sites = facilities.propose(town)
    assert sites.loc["V-facility:hall", "status"] == "candidate"
    assert sites.loc["V-facility:school", "reason"] == "与“”在同一位置,由 V-facility:hall 代表"
    assert sites.loc["V-facility:shop", "reason"].endswith("由 V-facility:hall 代表")


@given(seed=st.integers(0, 10**6), count=st.integers(1, 40))
def test_every_spot_has_one_candidate(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    xy = random.uniform(0, 60, (count, 2))
    index = pd.Index([f"V{number:02d}" for number in range(count)])
    sites = gpd.GeoDataFrame({
        "mount": random.choice(["roof_pole", "ground_tower"], count), "tier": random.integers(1, 7, count),
        "must_be_free": random.random(count) < 0.5}, geometry=[Point(*place) for place in xy], index=index)
    building = pd.Series(random.choice(["", "B1", "B2", "B3"], count), index=index)
    competes = pd.Series(random.random(count) < 0.9, index=index)
    stands_for = one_per_spot(sites, building, pd.Series(random.random(count) < 0.5, index=index), competes)
    kept = (stands_for < 0) & competes.to_numpy()
    assert (stands_for[~competes.to_numpy()] == -1).all()
    assert (stands_for[stands_for[stands_for >= 0]] == -1).all()
    assert kept[stands_for[stands_for >= 0]].all()
    roof = sites["mount"].eq("roof_pole").to_numpy()
    used = building[kept & roof & (building != "").to_numpy()]
    assert used.is_unique
    gaps = np.hypot(*(xy[kept][:, None] - xy[kept][None]).transpose(2, 0, 1))
    assert (gaps[~np.eye(int(kept.sum()), dtype=bool)] >= SAME_SPOT_M * (1 - 1e-6)).all()
    tier = sites["tier"].to_numpy()
    spoken = np.flatnonzero(stands_for >= 0)
    assert (tier[stands_for[spoken]] <= tier[spoken]).all()


def test_evidence_tells_row_class_and_height(flat: Surface) -> None:
    town = context(flat, buildings={"JZ00012": house(100, 100, height=18.0)},
                   facilities={"F1": {**SCHOOL, "geometry": at(120, 120), "opens": "光纤", "agreed_on": "2025-03-01"}})
    site = facilities.propose(town).loc["V-facility:F1"]
    assert site["evidence"] == ("公共设施 facilities.csv 第 12 行;类别按名称“小学”(可信度0.9);楼高取所在建筑 JZ00012 的 18 米(实测);"
                                "已开放:光纤(2025-03-01协议)")
    assert site[["opens", "mount", "antenna_height_m", "roof_area_m2", "cost_model"]].tolist() == [
        "roof", "roof_pole", 22.0, 1600.0, load_venues().classes["school"].cost_model]
    assert told(town) == []


@pytest.mark.parametrize(("facility", "building", "words"), [
    ({"roof_height_m": 12.0}, {"height_source": "measured"}, "楼高取所在建筑 B1 的 21 米(实测)"),
    ({"roof_height_m": 12.0}, {"height_source": "storeys"}, "楼高取所在建筑 B1 的 21 米(按层数)"),
    ({"roof_height_m": 12.0}, {"height_source": "default"}, "楼高取本表所填的 12 米"),
    ({"storeys": 4.0}, {"height_source": "default"}, "楼高按 4 层推算为 14 米"),
    ({}, {"height_source": "default"}, "楼高取所在建筑 B1 的 21 米(按用途默认)"),
    ({}, {"geometry": rect(150, 100, 190, 140)}, "楼高取 30 米外的建筑 B1 的 21 米(实测)"),
    ({"roof_height_m": 7.0, "storeys": 2.0}, {"geometry": rect(145, 100, 185, 140)}, "楼高取本表所填的 7 米"),
    ({"storeys": 2.0}, {"geometry": rect(145, 100, 185, 140)}, "楼高按 2 层推算为 7 米"),
    ({"storeys": 2.0}, {"geometry": rect(125, 100, 165, 140)}, "楼高取 5 米外的建筑 B1 的 21 米(实测)"),
    ({}, {"geometry": rect(151, 100, 190, 140)}, "楼高按类别默认 15 米"),
])
def test_the_surest_roof_height_is_taken(flat: Surface, facility: dict[str, Any], building: dict[str, Any],
                                         words: str) -> None:
    town = context(flat, buildings={"B1": {**house(100, 100), **building}},
                   facilities={"F1": {**SCHOOL, "geometry": at(120, 120), **facility}})
    assert words in facilities.propose(town).loc["V-facility:F1", "evidence"].split(";")


def test_a_neighbours_tower_gives_a_school_neither_its_height_nor_its_roof(flat: Surface) -> None:
    """The school is 7 m high by its own row; a tower of 60 m stands 25 m away: a roof tower of 18 m, area not known."""
    town = context(flat, buildings={"H": house(145, 100, height=60.0, use="residential")},
                   facilities={"F1": {**SCHOOL, "geometry": at(120, 120), "roof_height_m": 7.0}})
    site = facilities.propose(town).loc["V-facility:F1"]
    assert site[["mount", "antenna_height_m"]].tolist() == ["roof_tower", 18.0]
    assert np.isnan(site["roof_area_m2"])
    assert roofs.propose(town).index.tolist() == ["B-building:H"]


def test_the_height_raster_speaks_before_the_default_of_the_class(flat: Surface) -> None:
    clutter = flat.clutter_m.copy()
    clutter[100 - 13, 12] = 27.0
    town = context(replace(flat, clutter_m=clutter), facilities={"F1": {**SCHOOL, "geometry": at(125, 125)}})
    assert "楼高取高度栅格的 27 米" in facilities.propose(town).loc["V-facility:F1", "evidence"]


def test_what_is_assumed_of_venues_is_counted_and_doubts_are_told(flat: Surface) -> None:
    bare = {"source_file": "a.csv", "owner": None, "department": "某局", "department_source": "class"}
    venues = {"A": {**bare, "geometry": at(100, 100), "venue_class": "park", "class_rule": "name:广场",
                    "class_confidence": 0.4},
              "B": {**bare, "geometry": at(300, 100), "venue_class": "other", "class_confidence": 0.0},
              "C": {**SCHOOL, "geometry": at(500, 100)}}
    town = context(flat, facilities=venues)
    sites = facilities.propose(town)
    assert told(town) == [("facilities", "共 2 行", "owner"), ("facilities", "共 2 行", "department"),
                          ("facilities", "B", "venue_class")]
    assert all(line.action == "assumed" and line.file == "a.csv" for line in town.ledger)
    assert sites.loc["V-facility:A", "department"] == load_venues().department_name("park")
    assert "类别按名称“广场”(可信度0.4,存疑)" in sites.loc["V-facility:A", "evidence"]
    assert "类别判断不出(可信度0,存疑)" in sites.loc["V-facility:B", "evidence"]
    assert sites.loc["V-facility:B", "tier"] == max(load_venues().tiers)


def large_school(**more: Any) -> dict[str, Any]:
    return {"F1": {**SCHOOL, "geometry": at(120, 120), "area_m2": 8000.0, "storeys": 4.0, **more}}


def test_a_large_public_venue_has_its_land_as_second_alternative(flat: Surface) -> None:
    """The house reaches 20 m around the point and 3 m are kept clear: north at 25 m is the first place."""
    town = context(flat, buildings={"B1": house(100, 100)}, facilities=large_school())
    venues = facilities.propose(town)
    land = grounds.propose(town, venues)
    assert land.index.tolist() == ["G-ground:F1"]
    site = land.iloc[0]
    assert site[["source", "source_id", "opens", "mount", "antenna_height_m", "members", "tier"]].tolist() == [
        "ground", "F1", "ground", "ground_tower", 30.0, "V-facility:F1", 3]
    assert site.geometry.distance(at(120, 145)) < 1e-6
    assert "位于场所点北 25 米" in site["evidence"]
    assert site["evidence"].endswith("位于场所点北 25 米,不在建筑内")
    assert np.isnan(site["roof_area_m2"])
    assert grounds.link_alternatives(venues, land)["members"].tolist() == ["G-ground:F1"]
    assert venues["members"].tolist() == [""]


def both_of(town: CandidateContext) -> gpd.GeoDataFrame:
    """Venues and the towers on their land, settled."""
    offers = facilities.offered(town)
    return facilities.settle_spots(concat_sites([offers, grounds.propose(town, offers)]), town)


def test_a_tower_on_land_names_the_roof_only_where_that_is_open(flat: Surface) -> None:
    town = context(flat, buildings={"B1": house(100, 100)}, facilities=large_school())
    assert both_of(town).loc["G-ground:F1", "evidence"].endswith(";与屋顶备选 V-facility:F1 二选一")
    offers = facilities.offered(town)
    barred = refuse(offers, np.ones(len(offers), bool), "roof_area", "楼顶面积不足")
    settled = facilities.settle_spots(concat_sites([barred, grounds.propose(town, offers)]), town)
    assert settled.loc["G-ground:F1", "evidence"].endswith(";屋顶 V-facility:F1 不可用")


def test_the_land_of_a_venue_that_another_stands_for_is_no_second_alternative(flat: Surface) -> None:
    """Two large schools 2 m apart: one spot, one roof, one tower."""
    second = {"F2": {**large_school()["F1"], "geometry": at(122, 120), "name": "二小"}}
    town = context(flat, buildings={"B1": house(100, 100)}, facilities={**large_school(), **second})
    sites = both_of(town)
    assert sites["status"].to_dict() == {"V-facility:F1": "candidate", "V-facility:F2": "refused",
                                         "G-ground:F1": "candidate", "G-ground:F2": "refused"}
    assert sites.loc["G-ground:F2", ["refusal_code", "reason"]].tolist() == [
        "same_spot", "其场所与“一小”在同一位置,由 V-facility:F1 代表"]
    assert "二选一" not in sites.loc["G-ground:F2", "evidence"]


@pytest.mark.parametrize(("effect", "status", "flag"), [
    ("refuse", "refused", ""), ("flag", "candidate", "same_spot"), ("off", "candidate", "")])
def test_one_spot_follows_the_effect_of_its_rule(flat: Surface, effect: str, status: str, flag: str) -> None:
    pair = {name: {**SCHOOL, "geometry": at(east, 100)} for name, east in (("A", 100), ("B", 102))}
    town = context(flat, facilities=pair)
    town = replace(town, params=CandidateParams(rules={"same_spot": {"effect": effect}}))
    sites = facilities.propose(town)
    assert sites.loc["V-facility:B", ["status", "flags"]].tolist() == [status, flag]
    assert ("同址另有 1 处场所" in sites.loc["V-facility:A", "evidence"]) == (effect != "off")
    assert (told(town) == []) == (effect == "off")


@pytest.mark.parametrize("more", [
    {"area_m2": 7999.0}, {"area_m2": None}, {"venue_class": "commercial"}, {"venue_class": "park"},
    {"area_m2": 8000.0, "storeys": None}])  # the usual roof of a school, 15 m, has 4.3 storeys
def test_who_has_no_second_alternative(flat: Surface, more: dict[str, Any]) -> None:
    town = context(flat, buildings={"B1": house(100, 100)}, facilities=large_school(**more))
    assert grounds.propose(town, facilities.propose(town)).empty


def test_land_that_is_built_up_is_no_alternative_and_is_told(flat: Surface) -> None:
    """2,000 m2 are a circle of 25.2 m; the house covers 30 m around the point."""
    town = context(flat, buildings={"B1": house(90, 90, size=60)}, facilities=large_school())
    assert grounds.propose(town, facilities.propose(town)).empty
    assert ("facilities", "共 1 行", "geometry") in told(town)
    clutter = np.full_like(flat.clutter_m, 9.0)
    raster = context(replace(flat, clutter_m=clutter), facilities=large_school())
    assert grounds.propose(raster, facilities.propose(raster)).empty


def test_private_roofs_tell_their_use_area_and_height_and_low_ones_are_counted(flat: Surface) -> None:
    town = context(flat, buildings={
        "B1": house(100, 100, size=20, use="commercial", source_file="x/b.gpkg", source_row="7", owner="某公司"),
        "B2": house(300, 100, height=8.0), "B3": house(500, 100, height=11.9)})
    sites = roofs.propose(town)
    assert sites.index.tolist() == ["B-building:B1"]
    assert sites.iloc[0][["opens", "roof_area_m2", "cost_model", "evidence"]].tolist() == [
        "roof", 400.0, load_venues().classes["commercial"].cost_model, "建筑物 b.gpkg 第 7 行;用途商业;楼高 21 米(实测)"]
    assert told(town) == [("buildings", "共 2 行", "height_m")]


def test_a_roof_is_withheld_only_for_a_venue_that_offers_it(flat: Surface) -> None:
    """A car park in a tower and a school 25 m beside one do not take the roof; a petrol station inside does."""
    halls = {f"B{n}": house(200 * n, 100) for n in range(4)}
    venues = {"school": {"geometry": at(20, 120), "venue_class": "school"},
              "park": {"geometry": at(220, 120), "venue_class": "municipal"},
              "beside": {"geometry": at(665, 120), "venue_class": "school"},
              "fuel": {"geometry": at(420, 120), "venue_class": "hazard"}}
    town = context(flat, buildings=halls, facilities=venues)
    assert facilities.buildings_taken(town).to_dict() == {"B0": "venue", "B2": "hazard"}
    assert roofs.propose(town).index.tolist() == ["B-building:B1", "B-building:B3"]
    assert [(line.layer, line.value) for line in town.ledger] == [("buildings", "B0"), ("buildings", "B2")]
    alone = replace(town, params=CandidateParams(kinds=["building"]))
    assert facilities.buildings_taken(alone).to_dict() == {"B2": "hazard"}


def real_venues(study: str, layers: tuple[str, ...]) -> tuple[CandidateContext, gpd.GeoDataFrame]:
    """Context of a study's facilities alone, on an empty surface."""
    opened = Study.from_toml(STUDIES / study / "study.toml")
    read = inspect_layers({name: opened.params.layers[name] for name in layers}, opened.params.study.crs, opened.root)
    found = read.table("facilities")
    grid = study_geobox(tuple(found.total_bounds + np.array([-50, -50, 50, 50])), found.crs, 200.0)
    ground = np.zeros(grid.shape, np.float32)
    tables = {name: empty_table(name, found.crs) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    surface = Surface(grid, ground, ground, np.ones(grid.shape, bool), False)
    return CandidateContext({**tables, "facilities": found}, tables["boundary"], surface, np.ones(grid.shape, bool),
                            load_venues(), load_equipment(), CandidateParams(), InputLedger()), found


@pytest.mark.shared
def test_the_1054_venues_of_chengdu_are_candidates_with_departments(shared: Callable[[str], Path]) -> None:
    shared("data/chengdu/facilities_population/supply_facilities_CLEAN.csv")
    town, found = real_venues("chengdu", ("boundary", "facilities"))
    sites = facilities.propose(town)
    public = found.index[found["source_file"].str.contains("supply_facilities")]
    mine = sites[sites["source_id"].isin(public)]
    assert len(mine) == 1054
    assert len(sites) == len(found)
    refused = mine[mine["status"] == "refused"]
    assert (refused["refusal_code"] == "same_spot").all()
    assert (mine["status"] != "refused").sum() >= 1000
    assert set(mine["department"]) == {load_venues().department_name(name) for name in (
        "school", "park", "university", "sports")}
    assert mine["must_open"].all()
    assert (mine["evidence"].str.contains("supply_facilities_CLEAN.csv 第 ")).all()
    assert (mine["address"] != "").all()


@pytest.mark.shared
def test_town_halls_and_schools_of_liechtenstein_are_candidates(shared: Callable[[str], Path]) -> None:
    shared("data/liechtenstein/liechtenstein-latest.osm.pbf")
    town, found = real_venues("liechtenstein", ("facilities",))
    sites = facilities.propose(town)
    assert len(sites) == len(found)
    for name, least in (("government", 7), ("school", 30)):
        mine = sites[(sites["venue_class"] == name) & (sites["status"] == "candidate")]
        assert len(mine) >= least
        assert set(mine["department"]) == {load_venues().department_name(name)}
    assert sites["evidence"].str.contains("OSM标签“amenity=townhall”").any()

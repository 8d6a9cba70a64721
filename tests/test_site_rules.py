"""Rules of place: each one fires where it should, says so with numbers, and can be changed or switched off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from conftest import CRS, at, rect, table
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon

from siteplan.candidates import SITE_COLUMNS, CandidateContext, empty_sites
from siteplan.candidates.places import with_places
from siteplan.candidates.rules.place_rules import apply_rules, refusal_counts
from siteplan.candidates.rules.refuse import refuse, slope_deg
from siteplan.candidates.rules.restricted import rule_of_area
from siteplan.candidates.rules.rule_table import site_rules
from siteplan.candidates.rules.spacing import refuse_crowded
from siteplan.candidates.table import sites_table
from siteplan.coverage import load_equipment
from siteplan.errors import ModelError
from siteplan.grid import study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams
from siteplan.study._site_rules import site_rule_problems
from siteplan.surface import Surface
from siteplan.venues import load_venues

KINDS = {
    "ecology_red_line": "生态保护红线", "farmland": "永久基本农田", "heritage": "文物保护", "nature_reserve": "自然保护区",
    "water_source": "饮用水水源保护区", "airport": "机场净空", "highway": "公路建筑控制区", "railway": "铁路线路安全保护区",
    "power_line": "电力走廊", "river_dyke": "河道堤防", "petrol_station": "加油站", "pipeline": "输气管道",
    "landslide": "滑坡隐患", "military": "军事管理区", "restricted_other": "蓄滞洪区",
}
EMPTY = {name: table(name, {}) for name in LAYER_NAMES if name not in RASTER_LAYERS}
TOWER = {"kind": "macro", "source": "facility", "mount": "ground_tower", "antenna_height_m": 30.0,
         "venue_class": "park", "tier": 3}
POLE = {"kind": "micro", "source": "pole", "mount": "pole", "antenna_height_m": 8.0, "venue_class": "pole", "tier": 2}


def town(flat: Surface, ground: np.ndarray | None = None, gap: np.ndarray | None = None,
         params: CandidateParams | None = None, **layers: Any) -> CandidateContext:
    """The toy town with these layers; the whole of it is a gap, and the boundary, where nothing else is said."""
    filled = {"boundary": {"city": {"geometry": rect(0, 0, 1000, 1000), "name": "小镇"}}, **layers}
    tables = {**EMPTY, **{name: table(name, rows) for name, rows in filled.items()}}
    surface = flat if ground is None else replace(flat, ground_m=ground.astype(np.float32))
    return CandidateContext(tables, tables["boundary"], surface,
                            np.ones(surface.geobox.shape, bool) if gap is None else gap, load_venues(),
                            load_equipment(), params or CandidateParams(), InputLedger())


def candidates(rows: Mapping[str, Mapping[str, Any]]) -> gpd.GeoDataFrame:
    """A sites table; a tower of its own id where a row says nothing else."""
    whole = {key: {**SITE_COLUMNS, **TOWER, "source_id": key, "name": key, **row} for key, row in rows.items()}
    frame = pd.DataFrame.from_dict(whole, orient="index")
    return sites_table(frame.drop(columns="geometry"), gpd.GeoSeries(frame["geometry"], crs=CRS))


def masts(**where: Any) -> gpd.GeoDataFrame:
    """Existing 5G macro masts."""
    if not where:
        return empty_sites(CRS)
    return candidates({f"E-{name}": {"geometry": point, "source": "station", "source_id": name, "status": "existing",
                                     "networks": "移动 5G", "name": f"{name}站"} for name, point in where.items()})


def codes(sites: gpd.GeoDataFrame, key: str) -> list[str]:
    return [code for code in sites.loc[key, "refusal_code"].split("|") if code]


def told(context: CandidateContext, layer: str) -> list[tuple[str, str, str, str]]:
    return [(line.row, line.value, line.action, line.reason) for line in context.ledger if line.layer == layer]


RED_LINE = {"R1": {"geometry": rect(100, 100, 200, 200), "kind": "生态保护红线", "name": "青龙山"}}


# ---------------------------------------------------------------- every rule

def test_every_rule_of_the_table_fires_on_the_one_candidate_made_for_it(flat: Surface) -> None:
    ground, known = np.full(flat.geobox.shape, 20.0), np.ones(flat.geobox.shape, bool)
    ground[0:10, 30:40] += 10.0 * np.arange(10)
    known[0:5, 0:5] = False
    gap = np.zeros(flat.geobox.shape, bool)
    gap[:, :60] = True
    places = {code: (40 + 120 * (n % 6), 60 + 120 * (n // 6)) for n, code in enumerate(KINDS)}
    context = town(
        flat, ground, gap, CandidateParams(gap_radius_macro_m=200.0, gap_radius_micro_m=200.0),
        boundary={"city": {"geometry": rect(0, 0, 1000, 985), "name": "小镇"}},
        restricted={code: {"geometry": rect(x - 10, y - 10, x + 10, y + 10), "kind": KINDS[code]}
                    for code, (x, y) in places.items()},
        water={"W1": {"geometry": rect(600, 500, 640, 540), "name": "锦溪"}},
        roads={"L1": {"geometry": LineString([at(500, 495), at(700, 495)])}},
        secrecy={"1": {"name": "某研究所", "geometry": None}})
    context = replace(context, surface=replace(context.surface, known=known))
    sites = candidates({
        **{code: {"geometry": at(*place)} for code, place in places.items()},
        "outside_boundary": {"geometry": at(500, 992)}, "unknown_ground": {"geometry": at(20, 970)},
        "hazard_class": {"geometry": at(50, 500), "venue_class": "hazard"}, "water": {"geometry": at(620, 520)},
        "bridge": {**POLE, "geometry": at(620, 505)}, "slope": {"geometry": at(355, 955)},
        "secrecy": {"geometry": at(150, 500), "name": "某研究所"},
        "near_existing": {"geometry": at(540, 600)}, "no_gap": {"geometry": at(900, 500)},
        "roof_area": {"geometry": at(250, 500), "mount": "roof_pole", "roof_area_m2": 30.0},
        "roof_height": {"geometry": at(350, 500), "mount": "roof_pole", "antenna_height_m": 14.0, "source": "planned"},
        "land_use": {"geometry": at(450, 500), "source": "demand", "land_use_code": "0101"},
        "land_ask": {"geometry": at(350, 600), "source": "demand", "land_use_code": "16"},
        "banned": {"geometry": at(50, 600)}, "refused_by_owner": {"geometry": at(150, 600)},
        **{code: {**POLE, "geometry": at(50 + 100 * n, 700), "status": "refused", "refusal_code": code, "reason": "见本表"}
           for n, code in enumerate(("pole_height", "pole_load", "pole_kind"))},
        "no_capacity": {"geometry": at(350, 700), "source": "sharing", "status": "refused",
                        "refusal_code": "no_capacity", "reason": "没有空余挂载位"},
        "same_spot": {"geometry": at(450, 700), "status": "refused", "refusal_code": "same_spot", "reason": "由 甲 代表"},
        "lease_unused": {**POLE, "geometry": at(50, 800), "flags": "lease_unused"}, "emf": {"geometry": at(150, 800)},
        "no_sector": {"geometry": at(350, 800)},
        "better": {**POLE, "geometry": at(250, 800)}, "crowded": {**POLE, "geometry": at(280, 800)},
    })
    found = apply_rules(sites, context, masts(东=at(500, 600)), decisions={
        "banned": ("banned", "会议决定不设站"), "refused_by_owner": ("refused_by_owner", "业主拒绝")})
    found = refuse(found, found.index == "emf", "emf", "距一小20米")
    found = refuse(found, found.index == "no_sector", "no_sector", "四面有墙")
    found = refuse_crowded(found, ["better", "crowded"], 100.0, site_rules())
    of_meetings = {"moved_far", "moved_off_roof"}  # found where sites are moved: tests/test_moves.py
    assert set(site_rules()) == set(sites.index) - {"better"} | of_meetings
    both = {key: "|".join(filter(None, found.loc[key, ["refusal_code", "flags"]])) for key in found.index}
    assert both == {key: "" if key == "better" else key for key in sites.index}
    flagged = [key for key in found.index if found.loc[key, "flags"]]
    assert flagged == ["bridge", "land_ask", "lease_unused", "emf"]
    assert (found["status"] == np.where(found["refusal_code"] != "", "refused", "candidate")).all()
    assert not [key for key in found.index if found.loc[key, "refusal_code"] and not found.loc[key, "reason"]]


# ---------------------------------------------------------------- restricted areas

def test_inside_near_and_just_far_enough(flat: Surface) -> None:
    params = CandidateParams(rules={"ecology_red_line": {"distance_m": 50}})
    sites = candidates({"in": {"geometry": at(150, 150)}, "near": {"geometry": at(235, 150)},
                        "limit": {"geometry": at(250, 150)}, "hair": {"geometry": at(249.98, 150)}})
    found = apply_rules(sites, town(flat, params=params, restricted=RED_LINE), masts())
    assert found["reason"].to_dict() == {
        "in": "位于生态保护红线“青龙山”内", "near": "距生态保护红线“青龙山”35米,须不小于50米", "limit": "",
        "hair": "距生态保护红线“青龙山”49.9米,须不小于50米"}


def test_without_a_distance_only_the_inside_is_barred_and_the_edge_belongs_to_it(flat: Surface) -> None:
    sites = candidates({"edge": {"geometry": at(200, 150)}, "beside": {"geometry": at(201, 150)}})
    found = apply_rules(sites, town(flat, restricted=RED_LINE), masts())
    assert found["status"].to_dict() == {"edge": "refused", "beside": "candidate"}


def test_the_distance_of_a_row_comes_before_that_of_the_rule(flat: Surface) -> None:
    areas = {"R1": {**RED_LINE["R1"], "distance_m": 20.0},
             "R2": {"geometry": rect(100, 600, 200, 700), "kind": "生态保护红线", "distance_m": 0.0}}
    params = CandidateParams(rules={"ecology_red_line": {"distance_m": 50}})
    sites = candidates({"35 m": {"geometry": at(235, 150)}, "19 m": {"geometry": at(219, 150)},
                        "5 m": {"geometry": at(205, 650)}})
    found = apply_rules(sites, town(flat, params=params, restricted=areas), masts())
    assert found["reason"].to_dict() == {"35 m": "", "19 m": "距生态保护红线“青龙山”19米,须不小于20米", "5 m": ""}


@pytest.mark.parametrize(("kind", "name", "limit"), [
    ("电力走廊", "220千伏溪云线", 15.0), ("架空电力线", "110kV东溪线", 10.0), ("高压线", "10KV支线", 5.0),
    ("输电线路", "", 15.0), ("公路", "国道210", 20.0), ("高速公路", "", 30.0), ("铁路", "高速铁路", 20.0),
    ("输油管道", "", 5.0)])
def test_lines_keep_the_distance_of_their_class(flat: Surface, kind: str, name: str, limit: float) -> None:
    line = {"L1": {"geometry": LineString([at(0, 500), at(1000, 500)]), "kind": kind, "name": name}}
    sites = candidates({"near": {"geometry": at(300, 500 + limit - 1)}, "far": {"geometry": at(300, 500 + limit + 1)}})
    found = apply_rules(sites, town(flat, restricted=line), masts())
    assert found["status"].to_list() == ["refused", "candidate"]
    assert found.loc["near", "reason"].endswith(f"“{name or 'L1'}”{limit - 1:g}米,须不小于{limit:g}米")


def test_a_drawn_corridor_is_the_zone_itself(flat: Surface) -> None:
    corridor = {"L1": {"geometry": rect(0, 480, 1000, 520), "kind": "电力走廊", "name": "220千伏线"}}
    sites = candidates({"in": {"geometry": at(300, 510)}, "beside": {"geometry": at(300, 525)}})
    assert apply_rules(sites, town(flat, restricted=corridor), masts())["status"].to_list() == ["refused", "candidate"]


def test_a_study_that_gives_a_distance_means_all_classes(flat: Surface) -> None:
    params = CandidateParams(rules={"highway": {"distance_m": 40}})
    line = {"L1": {"geometry": LineString([at(0, 500), at(1000, 500)]), "kind": "高速公路"}}
    sites = candidates({"35": {"geometry": at(300, 535)}})
    assert codes(apply_rules(sites, town(flat, params=params, restricted=line), masts()), "35") == ["highway"]


def test_poles_of_a_road_stand_in_its_strip(flat: Surface) -> None:
    line = {"L1": {"geometry": LineString([at(0, 500), at(1000, 500)]), "kind": "国道"}}
    sites = candidates({"pole": {**POLE, "geometry": at(300, 505)}, "tower": {"geometry": at(300, 505)}})
    assert apply_rules(sites, town(flat, restricted=line), masts())["status"].to_list() == ["candidate", "refused"]


@pytest.mark.parametrize(("kind", "name", "code"), [
    ("", "南岭生态保护红线", "ecology_red_line"), ("蓄滞洪区", "河道以北", "river_dyke"), ("河道管理范围", "", "river_dyke"),
    ("輸氣", "", "restricted_other"), ("高速公路", "", "highway"), ("１１０ＫＶ高压线", "", "power_line"),
    ("文物保护", "军事博物馆", "heritage"), ("", "", "restricted_other")])
def test_the_type_decides_and_the_name_where_the_type_says_nothing(kind: str, name: str, code: str) -> None:
    assert rule_of_area(kind, name, site_rules()) == code


def test_unknown_types_are_told_once_each_and_bar_the_inside(flat: Surface) -> None:
    areas = {"A": {"geometry": rect(0, 0, 100, 100), "kind": "蓄滞洪区", "name": "东塘"},
             "B": {"geometry": rect(200, 0, 300, 100), "kind": "蓄滞洪区"},
             "C": {"geometry": rect(400, 0, 500, 100)}}
    context = town(flat, restricted=areas)
    found = apply_rules(candidates({key: {"geometry": at(50 + 200 * n, 50)} for n, key in enumerate("abc")}),
                        context, masts())
    assert found["reason"].to_list() == ["位于蓄滞洪区“东塘”内", "位于蓄滞洪区“B”内", "位于限制区“C”内"]
    kinds = [(row, value, action) for row, value, action, reason in told(context, "restricted") if "限制类型" in reason]
    assert kinds == [("共 1 行", "", "assumed"), ("共 2 行", "蓄滞洪区", "assumed")]


def test_of_several_areas_the_nearest_is_named_and_all_are_counted(flat: Surface) -> None:
    areas = {key: {"geometry": rect(left, 0, left + 50, 100), "kind": "军事区" if key == "M" else "自然保护区",
                   "name": f"{key}山", "distance_m": 60.0} for key, left in (("A", 0), ("B", 100), ("M", 60))}
    found = apply_rules(candidates({"x": {"geometry": at(160, 50)}}), town(flat, restricted=areas), masts())
    assert found.loc["x", "reason"] == "距自然保护地“B山”10米,须不小于60米;距军事设施50米,须不小于60米"
    found = apply_rules(candidates({"x": {"geometry": at(75, 50)}}), town(flat, restricted=areas), masts())
    assert found.loc["x", "reason"] == "距自然保护地“A山”25米,须不小于60米(共2处);位于军事设施内"


def test_a_crossed_polygon_is_mended_and_told(flat: Surface) -> None:
    tie = Polygon([at(100, 100), at(200, 200), at(200, 100), at(100, 200)])
    context = town(flat, restricted={"R1": {"geometry": tie, "kind": "基本农田"}})
    sites = candidates({"left": {"geometry": at(110, 150)}, "over": {"geometry": at(150, 180)}})
    assert apply_rules(sites, context, masts())["refusal_code"].to_list() == ["farmland", ""]
    assert ("共 1 行", "R1", "repaired", "图形自相交,修复后再判断候选站址") in told(context, "restricted")


def test_shapes_that_are_missing_or_empty_bar_nobody(flat: Surface) -> None:
    areas = {"R1": {"geometry": None, "kind": "基本农田"}, "R2": {"geometry": Polygon(), "kind": "基本农田"}}
    found = apply_rules(candidates({"x": {"geometry": at(500, 500)}}), town(flat, restricted=areas), masts())
    assert found["status"].to_list() == ["candidate"]


def test_a_line_without_a_distance_is_told_to_bar_nobody(flat: Surface) -> None:
    context = town(flat, restricted={"L1": {"geometry": LineString([at(0, 0), at(9, 9)]), "kind": "文物"}})
    apply_rules(candidates({"x": {"geometry": at(500, 500)}}), context, masts())
    assert [(row, value) for row, value, _, reason in told(context, "restricted") if "不起作用" in reason] == [
        ("共 1 行", "L1")]


def test_an_area_that_covers_everything_is_told(flat: Surface) -> None:
    sites = candidates({"a": {"geometry": at(10, 10)}, "b": {**POLE, "geometry": at(900, 900)}})
    whole = town(flat, restricted={"R9": {"geometry": rect(0, 0, 1000, 1000), "kind": "生态保护红线"}})
    assert set(apply_rules(sites, whole, masts())["status"]) == {"refused"}
    assert [row for row, _, _, reason in told(whole, "restricted") if "限制区覆盖了全部候选(共 2 个)" in reason] == ["R9"]
    halves = town(flat, restricted={"R1": {"geometry": rect(0, 0, 500, 1000), "kind": "生态保护红线"},
                                    "R2": {"geometry": rect(500, 0, 1000, 1000), "kind": "基本农田"}})
    apply_rules(sites, halves, masts())
    assert [row for row, _, _, reason in told(halves, "restricted") if "限制区覆盖了全部候选" in reason] == [""]
    part = town(flat, restricted={"R1": {"geometry": rect(0, 0, 500, 1000), "kind": "生态保护红线"}})
    apply_rules(sites, part, masts())
    assert not [reason for *_, reason in told(part, "restricted") if "限制区覆盖了全部候选" in reason]


# ---------------------------------------------------------------- bad inputs

def test_a_pole_in_the_river_and_a_school_in_a_restricted_area_are_told(flat: Surface) -> None:
    river = {"W1": {"geometry": LineString([at(0, 300), at(1000, 300)]), "name": "锦溪", "width_m": 40.0},
             "W2": {"geometry": LineString([at(0, 700), at(1000, 700)]), "name": "小沟"}}
    context = town(
        flat, water=river, restricted=RED_LINE,
        poles={"D1": {"geometry": at(500, 315), "height_m": 8.0, "source_file": "poles.csv", "source_row": "7"}},
        facilities={"F1": {"geometry": at(150, 150), "name": "一小", "venue_class": "school", "source_file": "f.csv"}})
    sites = candidates({
        "P": {**POLE, "geometry": at(500, 315), "source_id": "D1"}, "bank": {**POLE, "geometry": at(500, 321)},
        "ditch": {**POLE, "geometry": at(500, 700)},
        "V": {"geometry": at(150, 150), "source_id": "F1", "venue_class": "school"}})
    found = apply_rules(sites, context, masts())
    assert found["reason"].to_dict() == {"P": "位于水域“锦溪”内", "bank": "", "ditch": "", "V": "位于生态保护红线“青龙山”内"}
    assert told(context, "poles") == [("7", "D1", "note", "位于水域“锦溪”内,按不可用候选处理")]
    assert told(context, "facilities") == [("F1", "F1", "note", "位于生态保护红线“青龙山”内,按不可用候选处理")]


def test_a_pole_on_a_bridge_is_no_pole_in_the_river(flat: Surface) -> None:
    river = {"W1": {"geometry": rect(0, 300, 1000, 400), "name": "锦溪"}}
    road = {"L1": {"geometry": LineString([at(500, 0), at(500, 1000)])}}
    sites = candidates({"on": {**POLE, "geometry": at(515, 350)}, "off": {**POLE, "geometry": at(521, 350)},
                        "tower": {"geometry": at(515, 350)}})
    found = apply_rules(sites, town(flat, water=river, roads=road), masts())
    assert found["refusal_code"].to_list() == ["", "water", "water"]
    assert found.loc["on", "flags"] == "bridge"
    assert found.loc["on", "evidence"] == "提示:位于水域“锦溪”内,距道路15米,按桥上的杆处理"
    new = apply_rules(candidates({"on": {**POLE, "source": "works", "geometry": at(515, 350)}}),
                      town(flat, water=river, roads=road), masts())
    assert new.loc["on", ["refusal_code", "flags"]].to_list() == ["", "bridge"]
    off = town(flat, water=river, roads=road, params=CandidateParams(rules={"bridge": {"effect": "off"}}))
    assert set(apply_rules(sites, off, masts())["refusal_code"]) == {"water"}
    never = town(flat, water=river, roads=road, params=CandidateParams(rules={"bridge": {"distance_m": 0}}))
    assert set(apply_rules(sites, never, masts())["refusal_code"]) == {"water"}
    assert set(apply_rules(sites, town(flat, water=river), masts())["refusal_code"]) == {"water"}


def test_many_rows_of_one_fault_are_one_line(flat: Surface) -> None:
    context = town(flat, restricted=RED_LINE)
    rows = {f"V{n}": {"geometry": at(110 + 10 * n, 150), "source_id": f"F{n}"} for n in range(5)}
    apply_rules(candidates(rows), context, masts())
    assert told(context, "facilities") == [
        ("共 5 行", "F0、F1、F2等", "note", "生态保护红线:如“位于生态保护红线“青龙山”内”,按不可用候选处理")]


def test_a_site_off_the_grid_is_refused_and_has_no_slope(flat: Surface) -> None:
    found = apply_rules(candidates({"off": {"geometry": at(5000, 5000)}, "on": {"geometry": at(500, 500)}}), town(flat),
                        masts())
    assert codes(found, "off") == ["outside_boundary", "unknown_ground", "no_gap"]
    assert np.isnan(found.loc["off", "slope_deg"])
    assert found.loc["on", ["status", "slope_deg"]].to_list() == ["candidate", 0.0]


def test_petrol_stations_among_the_venues_keep_others_away_but_not_themselves(flat: Surface) -> None:
    oil = {"F9": {"geometry": at(500, 500), "name": "城东加油站", "venue_class": "hazard"}}
    sites = candidates({"self": {"geometry": at(500, 500), "source_id": "F9", "venue_class": "hazard"},
                        "near": {"geometry": at(520, 500)}, "far": {"geometry": at(530, 500)}})
    found = apply_rules(sites, town(flat, facilities=oil), masts())
    assert found["reason"].to_list() == [
        "易燃易爆场所,不设基站", "距加油站等易燃易爆设施“城东加油站”20米,须不小于25米", ""]


# ---------------------------------------------------------------- what the candidate is

def test_all_rules_that_a_candidate_breaks_are_told(flat: Surface) -> None:
    context = town(flat, restricted=RED_LINE, water={"W": {"geometry": rect(100, 100, 160, 160), "name": "湖"}},
                   params=CandidateParams(min_distance_existing_m=60.0))
    sites = candidates({"x": {"geometry": at(150, 150), "mount": "roof_pole", "roof_area_m2": 41.25,
                              "antenna_height_m": 18.0}})
    found = apply_rules(sites, context, masts(东=at(190, 150)))
    assert found.loc["x", ["status", "refusal_code"]].to_list() == [
        "refused", "water|ecology_red_line|near_existing|roof_area"]
    assert found.loc["x", "reason"] == ("位于水域“湖”内;位于生态保护红线“青龙山”内;距现有5G宏站“东站”40米,须不小于60米;"
                                        "楼顶面积41.2平方米,须不小于60平方米")


def test_a_secret_site_says_that_and_nothing_else(flat: Surface) -> None:
    context = town(flat, restricted=RED_LINE,
                   buildings={"B1": {"geometry": rect(300, 300, 340, 340), "height_m": 20.0}},
                   secrecy={"1": {"id": "F1", "geometry": None}, "2": {"name": "某所", "geometry": None},
                            "3": {"id": "B1", "geometry": None}})
    sites = candidates({
        "by id": {"geometry": at(150, 150), "source_id": "F1"}, "by name": {"geometry": at(120, 150), "name": " 某所 "},
        "in house": {"geometry": at(320, 320), "name": "二楼"}, "roof": {"geometry": at(320, 320), "source": "building",
                                                                    "source_id": "B1", "antenna_height_m": 50.0},
        "pole of that number": {**POLE, "geometry": at(500, 500), "source_id": "F1"},
        "owner": {"geometry": at(550, 500), "owner": "某所"},
        "longer name": {"geometry": at(600, 500), "name": "某所家属院"}})
    found = apply_rules(sites, context, masts())
    assert found["reason"].to_list() == ["涉密单位"] * 6 + [""]
    assert found["refusal_code"].to_list() == ["secrecy"] * 6 + [""]
    assert all("涉密" not in line.reason and line.value not in ("F1", "B1") for line in context.ledger)


def test_the_house_of_a_secret_venue_is_closed(flat: Surface) -> None:
    """The venue stands 4 m outside its house: roof, other rooms and poles inside are closed, the next house is not."""
    context = town(
        flat, buildings={"B1": {"geometry": rect(300, 300, 340, 340)}, "B2": {"geometry": rect(350, 300, 390, 340)}},
        facilities={"F1": {"geometry": at(344, 320), "name": "某所", "venue_class": "school"}},
        secrecy={"1": {"id": "F1", "geometry": None}})
    sites = candidates({
        "roof": {"geometry": at(320, 320), "source": "building", "source_id": "B1", "antenna_height_m": 50.0},
        "clinic": {"geometry": at(305, 305), "source_id": "F2"}, "pole": {**POLE, "geometry": at(330, 330)},
        "next": {"geometry": at(370, 320), "source": "building", "source_id": "B2", "antenna_height_m": 50.0}})
    assert apply_rules(sites, context, masts())["refusal_code"].to_list() == ["secrecy"] * 3 + [""]


def test_spacing_is_the_studys_else_the_scenes_else_the_rules(flat: Surface) -> None:
    there = masts(东=at(500, 500))
    sites = candidates({"scene": {"geometry": at(500, 590), "spacing_m": 100.0},
                        "none": {"geometry": at(500, 410)}, "wide": {"geometry": at(590, 500), "spacing_m": 85.0},
                        "pole": {**POLE, "geometry": at(501, 500), "spacing_m": 100.0}})
    assert apply_rules(sites, town(flat), there)["reason"].to_dict() == {
        "scene": "距现有5G宏站“东站”90米,须不小于100米", "none": "", "wide": "", "pole": ""}
    given_m = town(flat, params=CandidateParams(min_distance_existing_m=95.0))
    assert apply_rules(sites, given_m, there)["status"].to_list() == ["refused"] * 3 + ["candidate"]


@pytest.mark.parametrize(("source", "reason"), [("station", "距现有5G宏站“乙站”30米,须不小于80米"), ("sharing", "")])
def test_a_mast_is_not_too_near_to_itself_but_may_be_to_another(flat: Surface, source: str, reason: str) -> None:
    """A mast that carries 5G and takes another operator stands where it stands."""
    sites = candidates({"own": {"geometry": at(500, 500), "source": source, "source_id": "甲"}})
    alone = apply_rules(sites, town(flat), masts(甲=at(500, 500)))
    assert alone.loc["own", "status"] == "candidate"
    two = apply_rules(sites, town(flat), masts(甲=at(500, 500), 乙=at(530, 500)))
    assert two.loc["own", "reason"] == reason


def test_no_gap_tells_where_the_nearest_is(flat: Surface) -> None:
    gap = np.zeros(flat.geobox.shape, bool)
    gap[50, 10] = True
    context = town(flat, gap=gap, params=CandidateParams(gap_radius_macro_m=300.0))
    row = 1000 - 505
    sites = candidates({"far": {"geometry": at(505, row)}, "near": {"geometry": at(405, row)}})
    found = apply_rules(sites, context, masts())
    assert found["reason"].to_list() == ["300米内没有覆盖空洞(最近的在400米外)", ""]
    nowhere = apply_rules(candidates({"x": {"geometry": at(505, row)}}), replace(context, gap=gap & False), masts())
    assert nowhere.loc["x", "reason"] == "300米内没有覆盖空洞"


def test_a_steep_slope_bars_towers_only(flat: Surface) -> None:
    ground = np.tile(6.0 * np.arange(100), (100, 1))
    sites = candidates({"tower": {"geometry": at(505, 505)}, "roof": {"geometry": at(505, 505), "mount": "roof_pole"},
                        "pole": {**POLE, "geometry": at(505, 505)}})
    found = apply_rules(sites, town(flat, ground), masts())
    assert found["slope_deg"].to_list() == [31.0, 31.0, 31.0]  # arctan(0.6) = 30.96 degrees
    assert found["reason"].to_list() == ["地面坡度31度,须不大于25度", "", ""]


@given(seed=st.integers(0, 10**6))
def test_the_slope_is_that_of_numpy_on_the_whole_raster(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = study_geobox((0.0, 0.0, 70.0, 50.0), CRS, 10.0)
    ground = rng.uniform(0, 40, grid.shape).astype(np.float32)
    known = rng.random(grid.shape) > 0.1
    surface = Surface(grid, ground, np.zeros(grid.shape, np.float32), known, True)
    rows, cols = np.indices(grid.shape).reshape(2, -1)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(cols * 10.0 + 5, 45.0 - rows * 10.0), crs=CRS)
    along, across = np.gradient(np.where(known, ground, np.nan).astype(float), 10.0)
    expected = np.where(known, np.degrees(np.arctan(np.hypot(along, across))), np.nan)
    np.testing.assert_allclose(slope_deg(points, surface), expected.ravel(), atol=1e-4)


@pytest.mark.parametrize(("code", "permitted"), [("0101", False), ("1401", True), ("", True), ("R2", False)])
def test_a_request_on_land_that_bars_towers(flat: Surface, code: str, permitted: bool) -> None:
    sites = candidates({"x": {"geometry": at(500, 500), "source": "demand", "land_use_code": code},
                        "roof": {"geometry": at(500, 500), "source": "demand", "mount": "roof_pole",
                                 "land_use_code": code}})
    found = apply_rules(sites, town(flat), masts())
    assert found["refusal_code"].to_list() == ["" if permitted else "land_use", ""]


@pytest.mark.parametrize(("source", "code", "refused", "flag"), [
    ("ground", "0101", "land_use", ""), ("facility", "03", "land_use", ""), ("facility", "E1", "land_use", ""),
    ("facility", "0804", "", ""), ("ground", "0806", "", ""), ("facility", "0701", "", ""),  # built up for the venue
    ("facility", "16", "", "land_ask"), ("facility", "X9", "", "land_ask"), ("facility", "0804/0101", "land_use", ""),
    ("demand", "0804", "", "land_ask"), ("demand", "16", "", "land_ask"), ("demand", "X9", "", "land_ask"),
    ("demand", "0701", "land_use", ""), ("demand", "1401", "", "")])
def test_towers_on_the_land_of_venues_and_at_requests(flat: Surface, source: str, code: str, refused: str,
                                                      flag: str) -> None:
    """Fields, forests and water bar a tower; the land of a school is its own; the rest is asked about."""
    sites = candidates({"x": {"geometry": at(500, 500), "source": source, "land_use_code": code, "evidence": "甲"}})
    found = apply_rules(sites, town(flat), masts())
    assert found.loc["x", ["refusal_code", "flags"]].to_list() == [refused, flag]
    words = {"16": "用地性质 16 留白用地,须先征得自然资源部门同意新建落地塔", "X9": "用地性质“X9”不认识,须核实能否新建落地塔"}
    if code in words:
        assert found.loc["x", "evidence"] == f"甲;提示:{words[code]}"
    if code == "0101":
        assert found.loc["x", "reason"] == "用地性质 01 耕地,不允许新建落地塔"


def test_a_site_lies_in_the_town_its_row_names_else_in_the_first_that_covers_it(flat: Surface) -> None:
    context = town(flat, towns={"T1": {"geometry": rect(0, 0, 500, 1000), "name": "甲镇"},
                                "T2": {"geometry": rect(500, 0, 1000, 1000), "name": "乙镇"}})
    sites = candidates({"own word": {"geometry": at(600, 500), "town": "甲镇"}, "inside": {"geometry": at(600, 500)},
                        "border": {"geometry": at(500, 500)}, "edge": {"geometry": at(1000, 500)},
                        "outside": {"geometry": at(1001, 500)}})
    assert with_places(sites, context)["town"].to_list() == ["甲镇", "乙镇", "甲镇", "乙镇", ""]


def test_decisions_are_found_by_site_id_before_source_id(flat: Surface) -> None:
    sites = candidates({"V-1": {"geometry": at(100, 100), "source_id": "F1"}, "G-1": {"geometry": at(200, 100),
                                                                                  "source_id": "F1"},
                        "V-2": {"geometry": at(300, 100), "source_id": "F2"}})
    found = apply_rules(sites, town(flat), masts(), decisions={
        "F1": ("refused_by_owner", "业主拒绝:担心辐射"), "V-1": ("banned", "例会决定不设站")})
    assert found["reason"].to_dict() == {"V-1": "业主拒绝:担心辐射;例会决定不设站", "G-1": "业主拒绝:担心辐射", "V-2": ""}


# ---------------------------------------------------------------- effects

def test_a_flag_leaves_the_candidate_open_and_keeps_the_sentence(flat: Surface) -> None:
    params = CandidateParams(rules={"ecology_red_line": {"effect": "flag"}})
    sites = candidates({"x": {"geometry": at(150, 150), "flags": "emf", "evidence": "来自公共设施表"}})
    found = apply_rules(sites, town(flat, params=params, restricted=RED_LINE), masts())
    assert found.loc["x", ["status", "reason", "flags", "evidence"]].to_list() == [
        "candidate", "", "emf|ecology_red_line", "来自公共设施表;提示:位于生态保护红线“青龙山”内"]


def test_what_a_kind_refused_follows_the_effect_of_the_rule(flat: Surface) -> None:
    sites = candidates({"low": {**POLE, "geometry": at(500, 500), "status": "refused",
                                "refusal_code": "pole_height|pole_load", "reason": "杆高4米,低于5米;荷载余量9公斤"},
                        "odd": {"geometry": at(300, 500), "status": "refused", "refusal_code": "home_made",
                                "reason": "自定"}})
    as_found = apply_rules(sites, town(flat), masts())
    assert as_found[["status", "refusal_code", "reason"]].equals(sites[["status", "refusal_code", "reason"]])
    params = CandidateParams(rules={"pole_height": {"effect": "off"}, "pole_load": {"effect": "flag"}})
    found = apply_rules(sites, town(flat, params=params), masts())
    assert found.loc["low", ["status", "refusal_code", "reason", "flags"]].to_list() == [
        "candidate", "", "", "pole_load"]
    assert found.loc["low", "evidence"].endswith("提示:荷载余量9公斤")


def test_refusals_add_up_and_existing_sites_are_left_alone() -> None:
    sites = pd.concat([candidates({"x": {"geometry": at(0, 0)}}), masts(东=at(0, 0))])
    once = refuse(sites, np.array([True, True]), "water", "位于水域内")
    twice = refuse(once, np.array([True, True]), "slope", ["坡度过大", ""])
    twice = refuse(twice, np.array([True, True]), "water", "又一次")
    assert twice.loc["x", ["status", "refusal_code", "reason"]].to_list() == [
        "refused", "water|slope", "位于水域内;坡度过大"]
    assert twice.loc["E-东", ["status", "refusal_code"]].to_list() == ["existing", ""]
    assert sites.loc["x", ["status", "refusal_code"]].to_list() == ["candidate", ""]
    with pytest.raises(ModelError, match="no rule 'watr'"):
        refuse(sites, np.array([True, True]), "watr", "")


def test_of_crowded_poles_the_best_open_one_stands_for_the_others() -> None:
    places = {"a": 0, "b": 60, "c": 120, "d": 99}
    sites = candidates({name: {**POLE, "geometry": at(x, 0)} for name, x in places.items()})
    sites = refuse(sites, sites.index == "a", "water", "位于水域内")
    found = refuse_crowded(sites, ["a", "b", "c", "d"], 60.0, site_rules())
    assert found["reason"].to_dict() == {
        "a": "位于水域内", "b": "", "c": "", "d": "距更优候选39米,须不小于60米,由 b 代表"}
    free = refuse_crowded(sites, ["a", "b", "c", "d"], 60.0, site_rules({"crowded": {"effect": "off"}}))
    assert free["status"].to_list() == ["refused", "candidate", "candidate", "candidate"]


def test_counts_by_rule_and_kind_of_candidate() -> None:
    sites = candidates({"a": {"geometry": at(0, 0), "refusal_code": "water|slope"},
                        "b": {"geometry": at(0, 0), "refusal_code": "water", "flags": "emf"},
                        "c": {**POLE, "geometry": at(0, 0), "refusal_code": "water"}, "d": {"geometry": at(0, 0)}})
    assert refusal_counts(sites).to_dict("split")["data"] == [
        ["water", "水域", "refuse", "不可用", "facility", 2, 1], ["water", "水域", "refuse", "不可用", "pole", 1, 1],
        ["slope", "坡度过大", "refuse", "不可用", "facility", 1, 0],
        ["emf", "电磁环境敏感目标", "flag", "提示", "facility", 1, 0]]
    assert refusal_counts(sites.iloc[3:]).empty
    assert apply_rules(empty_sites(CRS), None, empty_sites(CRS)).empty  # type: ignore[arg-type]


# ---------------------------------------------------------------- properties

def random_town(flat: Surface, seed: int) -> tuple[gpd.GeoDataFrame, dict[str, dict[str, Any]]]:
    """Candidates and restricted shapes (polygons, lines, points) at whole metres, some with distances of their own."""
    rng = np.random.default_rng(seed)
    sites = candidates({f"S{n:02d}": {
        **(POLE if rng.random() < 0.3 else TOWER), "geometry": at(*rng.integers(0, 1000, 2)), "land_use_code": "0101",
        "roof_area_m2": 10.0, "source": "demand" if rng.random() < 0.2 else "facility"} for n in range(30)})
    areas: dict[str, dict[str, Any]] = {}
    for number in range(8):
        x, y, width = (int(value) for value in rng.integers(0, 900, 3) // (1, 1, 4))
        shape = (rect(x, y, x + width, y + 80), LineString([at(x, y), at(x + width, y + 50)]), at(x, y))[number % 3]
        own = float(rng.integers(0, 150)) if rng.random() < 0.5 else None
        areas[f"R{number}"] = {"geometry": shape, "kind": str(rng.choice(list(KINDS.values()))), "distance_m": own}
    return sites, areas


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6))
def test_areas_are_those_of_a_plain_loop(flat: Surface, seed: int) -> None:
    sites, areas = random_town(flat, seed)
    found, rules = apply_rules(sites, town(flat, restricted=areas), masts()), site_rules()
    for key, site_kind, point in zip(sites.index, sites["kind"], sites.geometry, strict=True):
        expected = set()
        for area in areas.values():
            rule = rules[rule_of_area(area["kind"], "", rules)]
            drawn = area["geometry"].geom_type == "Polygon"
            limit = rule.distance_m if area["distance_m"] is None else area["distance_m"]
            if area["distance_m"] is None and rule.lines and drawn:
                limit = 0.0
            distance = shapely.distance(area["geometry"], point)
            if (distance == 0 or distance < limit - 1e-6) and (not rule.kinds or site_kind in rule.kinds):
                expected.add(rule.id)
        assert set(codes(found, key)) & {*KINDS} == expected


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), off=st.sampled_from(sorted(site_rules())))
def test_a_rule_switched_off_never_refuses_more(flat: Surface, seed: int, off: str) -> None:
    sites, areas = random_town(flat, seed)
    existing, decisions = masts(东=at(300, 300)), {"S01": ("banned", "不设站")}
    found = apply_rules(sites, town(flat, restricted=areas), existing, decisions=decisions)
    assert ((found["status"] == "refused") == (found["refusal_code"] != "")).all()
    assert ((found["reason"] != "") == (found["refusal_code"] != "")).all()
    assert list(found.index) == list(sites.index)
    loose = town(flat, restricted=areas, params=CandidateParams(rules={off: {"effect": "off"}}))
    fewer = apply_rules(sites, loose, existing, decisions=decisions)
    assert set(fewer.index[fewer["status"] == "refused"]) <= set(found.index[found["status"] == "refused"])
    for key in sites.index:
        assert codes(fewer, key) == [code for code in codes(found, key) if code != off]


def test_the_order_of_rows_changes_nothing(flat: Surface) -> None:
    sites, areas = random_town(flat, 7)
    context = town(flat, restricted=areas)
    turned = replace(context, tables={name: layer.iloc[::-1] for name, layer in context.tables.items()})
    found = apply_rules(sites, context, masts())
    assert found.to_wkb().equals(apply_rules(sites.iloc[::-1], turned, masts()).sort_index().to_wkb())


# ---------------------------------------------------------------- the study file

def test_a_study_changes_fields_and_adds_kinds_of_areas(flat: Surface) -> None:
    rules = {"wetland": {"zh": "湿地", "words": ["蓄滞洪区"], "distance_m": 30}, "heritage": {"words": ["牌坊"]}}
    areas = {"A": {"geometry": rect(0, 0, 100, 100), "kind": "蓄滞洪区"}}
    context = town(flat, restricted=areas, params=CandidateParams(rules=rules))
    found = apply_rules(candidates({"x": {"geometry": at(120, 50)}}), context, masts())
    assert found.loc["x", ["refusal_code", "reason"]].to_list() == ["wetland", "距湿地“A”20米,须不小于30米"]
    assert not told(context, "restricted") or "限制类型" not in told(context, "restricted")[0][3]
    known = site_rules(rules)
    assert known["heritage"].words == ("牌坊",)
    assert known["heritage"].zh == site_rules()["heritage"].zh
    assert list(known)[-1] == "wetland"


@pytest.mark.parametrize(("rules", "field", "word", "remedy"), [
    ({"watter": {"effect": "off"}}, "watter", "没有这条规则", "是否应为 water"),
    ({"water": {"effect": "of"}}, "water.effect", "只能写", "off = 停用"),
    ({"water": {"distance": 5}}, "water.distance", "没有这个键", "distance_m"),
    ({"slope": {"distance_m": 5}}, "slope.distance_m", "这条规则不用这个键", "可用"),
    ({"water": {"distance_m": -5}}, "water.distance_m", "不得小于 0", "米数"),
    ({"water": {"distance_m": "五"}}, "water.distance_m", "应为数", "米数"),
    ({"highway": {"by_word": {"高速": -1}}}, "highway.by_word", "0 到 20000", "高速"),
    ({"slope": {"mounts": ["tower"]}}, "slope.mounts", "没有这种架设方式:tower", "mounts.toml"),
    ({"slope": {"sources": ["pol"]}}, "slope.sources", "只能写", "facility"),
    ({"slope": {"kinds": ["大"]}}, "slope.kinds", "只能写", "macro"),
    ({"wetland": {"zh": "湿地"}}, "wetland.words", "缺少必需的键", "湿地"),
    ({"wetland": {"like": "heritag"}}, "wetland.like", "没有这个条目", "heritage"),
    ({"restricted_other": {"words": ["x"]}}, "restricted_other.words", "不用这个键", ""),
    ({"water": {"id": "x"}}, "water.id", "没有这个键", ""),
])
def test_faults_of_a_study_file_are_told_with_a_remedy(rules: dict[str, Any], field: str, word: str,
                                                       remedy: str) -> None:
    (problem,) = site_rule_problems({"candidates": {"rules": rules}}, "study.toml")
    assert (problem.file, problem.field) == ("study.toml", f"candidates.rules.{field}")
    assert word in problem.reason
    assert remedy in problem.remedy
    with pytest.raises(ModelError):
        site_rules(rules)


@pytest.mark.parametrize("raw", [
    {}, {"candidates": 3}, {"candidates": {"rules": []}}, {"candidates": {"rules": {"a": 1}}},
    {"candidates": {"rules": {"highway": {"distance_m": 30, "effect": "flag"}}}}])
def test_nothing_to_tell(raw: dict[str, Any]) -> None:
    assert list(site_rule_problems(raw, "study.toml")) == []


def test_every_rule_names_its_source_and_what_is_not_verified() -> None:
    for rule in site_rules().values():
        assert rule.zh
        assert rule.source
        if rule.distance_m:
            assert "unverified" in rule.source or ".gov.cn" in rule.source

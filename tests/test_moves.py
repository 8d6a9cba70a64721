"""Moves and keeps of meetings in the toy town: the rules judge the new place, and what a site will carry is counted."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from candidate_town import told, town_context
from conftest import X0, Y0, at, rect

from siteplan.candidates import CandidateContext, propose_sites
from siteplan.candidates.moves import with_moves
from siteplan.decisions import Decision, Decisions
from siteplan.params import CandidateParams
from siteplan.surface import Surface

HALL = {"geometry": rect(100, 100, 140, 140), "height_m": 21.0, "use": "public"}
VENUES = {"F-gov": {"geometry": at(120, 120), "name": "镇政府", "venue_class": "government", "owner": "镇人民政府"},
          "F-park": {"geometry": at(500, 800), "name": "中心公园", "venue_class": "park", "owner": ""}}
TOWNS = {"T1": {"geometry": rect(0, 0, 490, 1000), "name": "西镇"},
         "T2": {"geometry": rect(490, 0, 1000, 1000), "name": "东镇"}}
DAY = dt.date(2026, 6, 5)
VENUE_KINDS = CandidateParams(kinds=["facility"])


def move(site: str, east: float, north: float, **more: Any) -> Decision:
    """A row of the table that moves a site to a place of the toy town."""
    usual = {"who": "例会", "why": "避让管线", "date": DAY, "row": "2"}
    return Decision(site, "move", place=(X0 + east, Y0 + north), **{**usual, **more})


def town(flat: Surface, *rows: Decision, **layers: Any) -> CandidateContext:
    here = town_context(flat, params=layers.pop("params", VENUE_KINDS), **{
        "buildings": {"B-hall": HALL}, "facilities": VENUES, **layers})
    return replace(here, decisions=Decisions(rows))


def test_a_moved_park_stands_at_its_new_place_and_says_who_when_and_why(flat: Surface) -> None:
    ground = flat.ground_m.copy()
    ground[:, 50:] = 35.0  # the eastern half lies 15 m higher
    hill = replace(flat, ground_m=ground)
    layers = {"towns": TOWNS, "units": {"U1": {"geometry": rect(480, 700, 490, 900)}},
              "parcels": {"K1": {"geometry": rect(480, 700, 490, 900), "land_use_code": "1401"}}}
    before = propose_sites(town(hill, **layers)).loc["V-facility:F-park"]
    after = propose_sites(town(hill, move("F-park", 484, 788), **layers)).loc["V-facility:F-park"]
    assert (after.geometry.x, after.geometry.y) == (X0 + 484, Y0 + 788)
    assert after["moved_m"] == 20.0  # 16 west, 12 south
    assert before["moved_m"] == 0.0
    joined = ["town", "ground_m", "unit_code", "parcel_code", "land_use_code"]
    assert before[joined].tolist() == ["东镇", 35.0, "", "", ""]
    assert after[joined].tolist() == ["西镇", 20.0, "U1", "K1", "1401"]
    assert after["lon"] < before["lon"]
    assert f"会议决定移至（{X0 + 484:.1f}，{Y0 + 788:.1f}）（例会，2026-06-05）：避让管线，距原位置20米" in after["evidence"].split(";")
    assert after[["status", "flags", "antenna_height_m", "mount"]].tolist() == [
        "candidate", "", *before[["antenna_height_m", "mount"]]]


@pytest.mark.parametrize(("place", "code", "layers"), [
    ((1200, 800), "outside_boundary", {}),
    ((700, 700), "water", {"water": {"W": {"geometry": rect(650, 650, 750, 750), "name": "小河"}}}),
    ((820, 820), "near_existing", {"stations": {"S1-1": {
        "geometry": at(830, 830), "source_site": "S1", "name": "东站", "network": "移动", "technology": "5G",
        "antenna_height_m": 30.0, "kind": "macro"}}})])
def test_rules_of_place_judge_the_new_place(flat: Surface, place: tuple[float, float], code: str, layers: Any) -> None:
    context = town(flat, move("F-park", *place), **layers)
    found = propose_sites(context).loc["V-facility:F-park"]
    assert found["status"] == "refused"
    assert code in found["refusal_code"].split("|")
    assert "会议决定移至" in found["evidence"]
    still = propose_sites(replace(context, decisions=Decisions())).loc["V-facility:F-park"]
    assert code not in still["refusal_code"].split("|")


def test_a_move_may_free_a_site_from_what_barred_it(flat: Surface) -> None:
    lake = {"water": {"W": {"geometry": rect(450, 750, 550, 850), "name": "湖"}}}
    assert propose_sites(town(flat, **lake)).loc["V-facility:F-park", "refusal_code"] == "water"
    assert propose_sites(town(flat, move("F-park", 600, 800), **lake)).loc["V-facility:F-park", "status"] == "candidate"


def test_a_roof_that_leaves_its_building_keeps_its_height_and_is_flagged(flat: Surface) -> None:
    on = propose_sites(town(flat, move("F-gov", 135, 135))).loc["V-facility:F-gov"]
    off = propose_sites(town(flat, move("F-gov", 180, 120))).loc["V-facility:F-gov"]
    assert on[["flags", "antenna_height_m"]].tolist() == ["", off["antenna_height_m"]]
    assert off[["status", "flags", "moved_m"]].tolist() == ["candidate", "moved_off_roof", 60.0]
    assert "提示:新位置不在原楼顶，挂高和建设方式仍按原楼顶，须重新核定" in off["evidence"].split(";")


def test_a_planned_roof_may_move_within_its_plot(flat: Surface) -> None:
    plot = {"planned_buildings": {"N1": {"geometry": rect(600, 100, 700, 200), "use": "住宅", "storeys": 20.0}}}
    params = CandidateParams(kinds=["planned"])
    flags = [propose_sites(town(flat, move("N1", *place), params=params, **plot)).loc["N-planned:N1", "flags"]
             for place in ((690, 190), (720, 190))]
    assert flags == ["", "moved_off_roof"]


def test_a_far_move_is_followed_flagged_and_told(flat: Surface) -> None:
    context = town(flat, move("F-park", 500, 1101))
    sites = propose_sites(context)
    assert sites.loc["V-facility:F-park", "flags"] == "moved_far"
    assert sites.loc["V-facility:F-park", "refusal_code"].startswith("outside_boundary")
    assert told(context, "decisions") == ["V-facility:F-park 移动301米，超过300米，已按新位置"]
    near = town(flat, move("F-park", 500, 1100))
    assert propose_sites(near).loc["V-facility:F-park", "flags"] == ""
    assert told(near, "decisions") == []


def test_masts_and_places_nowhere_stay_where_they_are(flat: Surface) -> None:
    stations = {"S2-1": {"geometry": at(800, 500), "source_site": "S2", "name": "老站", "network": "联通",
                         "technology": "4G", "antenna_height_m": 35.0, "kind": "macro"}}
    nowhere = replace(move("F-park", 0, 0), place=(23.4, 0.0), lonlat=True)  # a quarter of the globe away
    beyond = replace(nowhere, id="F-gov", place=(1e12, 1e12), lonlat=False)
    context = town(flat, move("S2", 700, 500), nowhere, beyond, stations=stations,
                   params=CandidateParams(kinds=["facility", "station"]))
    sites = propose_sites(context)
    assert sites.loc["R-station:S2"].geometry == at(800, 500) == sites.loc["E-station:S2"].geometry
    assert sites.loc["V-facility:F-park"].geometry == at(500, 800)
    assert (sites["moved_m"] == 0).all()
    assert told(context, "decisions") == ["R-station:S2 在现有塔上，不能移动，按原位置", "V-facility:F-gov 的新位置不在研究坐标系内，按原位置",
                                          "V-facility:F-park 的新位置不在研究坐标系内，按原位置"]


def test_an_unknown_id_moves_nothing(flat: Surface) -> None:
    assert propose_sites(town(flat, move("F-none", 10, 10))).to_wkb().equals(propose_sites(town(flat)).to_wkb())


def test_the_later_of_two_moves_stands(flat: Surface) -> None:
    rows = (move("V-facility:F-park", 520, 800, date=dt.date(2026, 7, 1)), move("F-park", 540, 800))
    assert propose_sites(town(flat, *rows)).loc["V-facility:F-park", "moved_m"] == 20.0


def test_roof_and_land_of_a_venue_move_together(flat: Surface) -> None:
    large = {"F-sch": {"geometry": at(120, 120), "name": "一小", "venue_class": "school", "storeys": 2.0,
                       "area_m2": 20000.0}}
    params = CandidateParams(kinds=["facility", "ground"])
    sites = propose_sites(town(flat, move("F-sch", 300, 300), facilities=large, params=params))
    assert {key: site.geometry for key, site in sites.iterrows()} == {
        "G-ground:F-sch": at(300, 300), "V-facility:F-sch": at(300, 300)}
    one = propose_sites(town(flat, move("G-ground:F-sch", 300, 300), facilities=large, params=params))
    assert one.loc["V-facility:F-sch"].geometry == at(120, 120)


def test_a_moved_pole_is_merged_with_none_and_keeps_its_id(flat: Surface) -> None:
    poles = {name: {"geometry": at(east, 600), "height_m": 8.0, "town": "西镇", "has_power": True}
             for name, east in (("D1", 200), ("D2", 204), ("D3", 400))}
    params = CandidateParams(kinds=["pole"], pole_spacing_m=0.0)
    plain = propose_sites(town(flat, poles=poles, params=params))
    assert plain.index.tolist() == ["P-pole:D1", "P-pole:D3"]
    here = town(flat, move("D2", 402, 600), poles=poles, params=params, towns=TOWNS)
    sites = propose_sites(here)
    assert sites["members"].to_dict() == {"P-pole:D1": "", "P-pole:D2": "", "P-pole:D3": ""}
    assert sites.loc["P-pole:D2"].geometry == at(402, 600)
    assert propose_sites(replace(here, decisions=Decisions((move("D2", 602, 600),)))).loc["P-pole:D2", "town"] == "东镇"


def test_an_operators_request_moves_as_well(flat: Surface) -> None:
    params = CandidateParams(kinds=["demand"])
    asked = {"Q1": {"geometry": at(500, 300), "operators": "移动", "kind": "macro", "antenna_height_m": 40.0}}
    context = town(flat, move("Q1", 2800, 300), demands=asked, params=params)
    found = propose_sites(context).loc["D-demand:Q1"]
    assert found[["moved_m", "flags", "refusal_code"]].tolist() == [
        2300.0, "moved_far", "outside_boundary|unknown_ground"]
    assert told(context, "decisions") == ["D-demand:Q1 移动2300米，超过300米，已按新位置"]


def test_moves_change_no_argument_and_no_other_site(flat: Surface) -> None:
    context = town(flat)
    sites = propose_sites(context)
    kept = sites.to_wkb()
    found = with_moves(sites, replace(context, decisions=Decisions((move("F-park", 510, 800),))))
    assert sites.to_wkb().equals(kept)
    assert found.drop("V-facility:F-park").to_wkb().equals(kept.drop("V-facility:F-park"))
    assert isinstance(found, gpd.GeoDataFrame)
    assert found.crs == sites.crs


# ---------------------------------------------------------------- kept sites among the candidates

def test_of_crowded_poles_the_kept_one_stands_and_a_ban_beats_it(flat: Surface) -> None:
    poles = {name: {"geometry": at(200 + 30 * number, 600), "height_m": height}
             for number, (name, height) in enumerate((("D1", 9.0), ("D2", 8.0)))}
    params = CandidateParams(kinds=["pole"])
    plain = propose_sites(town(flat, poles=poles, params=params))
    assert plain["refusal_code"].to_dict() == {"P-pole:D1": "", "P-pole:D2": "crowded"}
    kept = propose_sites(town(flat, Decision("D2", "keep"), poles=poles, params=params))
    assert kept["refusal_code"].to_dict() == {"P-pole:D1": "crowded", "P-pole:D2": ""}
    banned = (Decision("D2", "keep", overruled=True), Decision("D2", "ban"))
    both = propose_sites(town(flat, *banned, poles=poles, params=params))
    assert both["refusal_code"].to_dict() == {"P-pole:D1": "", "P-pole:D2": "banned"}


def test_of_venues_in_one_house_the_kept_one_stands_for_the_others(flat: Surface) -> None:
    two = {**VENUES, "F-shop": {"geometry": at(125, 125), "name": "商场", "venue_class": "commercial"}}
    both = ["V-facility:F-gov", "V-facility:F-shop"]
    plain, kept = (propose_sites(town(flat, *rows, facilities=two)).loc[both, "status"].tolist()
                   for rows in ((), (Decision("F-shop", "keep"),)))
    assert (plain, kept) == (["candidate", "refused"], ["refused", "candidate"])


def test_a_keep_lifts_no_rule_of_place(flat: Surface) -> None:
    lake = {"water": {"W": {"geometry": rect(450, 750, 550, 850), "name": "湖"}}}
    assert propose_sites(town(flat, Decision("F-park", "keep"), **lake)).loc["V-facility:F-park", "status"] == "refused"


# ---------------------------------------------------------------- base stations

CELLS = {f"{site}-{n}": {"geometry": at(east, 300), "source_site": site, "network": network, "technology": technology,
                         "antenna_height_m": 35.0, "kind": "macro"}
         for n, (site, east, network, technology) in enumerate((
             ("S1", 100, "移动", "5G"), ("S1", 100, "移动", "5G"), ("S1", 100, "移动", "4G"), ("S2", 900, "电信&联通", "5G"),
             ("S2", 900, "移动", "5G"), ("S3", 500, "联通", "4G")))}


def test_a_site_counts_one_base_station_for_each_network(flat: Surface) -> None:
    """S1: two cells of one 5G network and 4G; S2: two that share a RAN, and 移动; S3: no 5G yet."""
    params = CandidateParams(kinds=["facility", "sharing", "station", "demand"])
    requests = {"Q1": {"geometry": at(700, 900), "operators": "移动、联通", "kind": "macro", "antenna_height_m": 40.0}}
    sites = propose_sites(town(flat, stations=CELLS, params=params, demands=requests,
                               facilities={"F-gov": VENUES["F-gov"]}))
    assert sites["station_count"].to_dict() == {
        "E-station:S1": 1, "E-station:S2": 2, "E-station:S3": 0,
        "V-facility:F-gov": 2,   # 移动, and 电信 with 联通 as they share elsewhere
        "S-sharing:S1": 1,       # 电信 and 联通 join 移动 with one radio network
        "R-station:S3": 2, "D-demand:Q1": 2}
    assert sites["station_count"].dtype == sites["build_year"].dtype == np.int64
    assert (sites["build_year"] == 0).all()


def test_what_the_study_serves_is_counted_and_an_unknown_network_is_one(flat: Surface) -> None:
    one = CandidateParams(kinds=["facility"], serves=["联通"])
    assert propose_sites(town(flat, stations=CELLS, params=one)).loc["V-facility:F-park", "station_count"] == 1
    assert propose_sites(town(flat)).loc["V-facility:F-park", "station_count"] == 1

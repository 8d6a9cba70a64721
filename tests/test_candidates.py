"""Candidates of the toy town: tiers, heights, refusals with reasons, ids that do not depend on row order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import CRS, at, rect, table
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates import CandidateContext, propose_sites
from siteplan.candidates.rules.thin import keep_spaced
from siteplan.coverage import load_equipment
from siteplan.decisions import Decision, Decisions, sites_meant
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams
from siteplan.surface import Surface
from siteplan.venues import load_venues

BUILDINGS = {
    "B-hall": {"geometry": rect(100, 100, 140, 140), "height_m": 21.0, "use": "public"},
    "B-shop": {"geometry": rect(300, 100, 340, 140), "height_m": 24.0, "use": "commercial", "owner": "某商贸公司"},
    "B-flat": {"geometry": rect(700, 700, 740, 740), "height_m": 33.0, "use": "residential"},
    "B-hut": {"geometry": rect(500, 500, 510, 510), "height_m": 4.0, "use": "residential"},
}
FACILITIES = {
    "F-gov": {"geometry": at(120, 120), "name": "镇政府", "venue_class": "government", "owner": "镇人民政府"},
    "F-park": {"geometry": at(500, 800), "name": "中心公园", "venue_class": "park", "owner": ""},
    "F-school": {"geometry": at(900, 100), "name": "一小", "venue_class": "school", "storeys": 4.0,
                 "department": "教育和体育局"},
}
POLES = {f"D{n}": {"geometry": at(200 + 30 * n, 600), "height_m": 8.0, "road": "一路"} for n in range(6)}
STATIONS = {
    "S1-1": {"geometry": at(50, 50), "source_site": "S1", "name": "东站", "network": "移动", "technology": "5G",
             "antenna_height_m": 30.0, "kind": "macro"},
    "S2-1": {"geometry": at(800, 500), "source_site": "S2", "name": "老4G站", "network": "联通", "technology": "4G",
             "antenna_height_m": 35.0, "kind": "macro"},
}


def context(flat: Surface, gap: np.ndarray | None = None, params: CandidateParams | None = None,
            **layers: Any) -> CandidateContext:
    given_layers = {"buildings": BUILDINGS, "facilities": FACILITIES, "poles": POLES, "stations": STATIONS,
                    "boundary": {"city": {"geometry": rect(0, 0, 1000, 1000), "name": "小镇"}}, **layers}
    tables = {name: table(name, given_layers.get(name, {})) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    gap = np.ones(flat.geobox.shape, bool) if gap is None else gap
    return CandidateContext(tables, tables["boundary"], flat, gap, load_venues(), load_equipment(),
                            params or CandidateParams())


def test_free_public_venue_is_first_and_housing_last(flat: Surface) -> None:
    sites = propose_sites(context(flat))
    assert sites.loc["V-facility:F-gov", ["tier", "must_be_free"]].tolist() == [1, True]
    assert sites.loc["B-building:B-flat", "tier"] == 6
    assert sites.loc["B-building:B-flat", "tier_name"] == "住宅及其他"
    order = sites.loc[["V-facility:F-gov", "P-pole:D0", "V-facility:F-school", "B-building:B-shop",
                       "B-building:B-flat"], "preference"]
    assert order.is_monotonic_decreasing
    assert order.is_unique


def test_heights_come_from_the_roof_the_storeys_or_a_tower(flat: Surface) -> None:
    sites = propose_sites(context(flat))
    assert sites.loc["V-facility:F-gov", ["mount", "antenna_height_m"]].tolist() == ["roof_pole", 25.0]
    assert sites.loc["V-facility:F-school", ["mount", "antenna_height_m"]].tolist() == ["roof_pole", 18.0]
    assert sites.loc["V-facility:F-park", ["mount", "antenna_height_m"]].tolist() == ["ground_tower", 30.0]
    assert sites.loc["P-pole:D0", ["kind", "mount", "antenna_height_m"]].tolist() == ["micro", "pole", 7.5]


def test_a_height_raster_gives_the_roof_where_no_building_does(flat: Surface) -> None:
    clutter = flat.clutter_m.copy()
    clutter[100 - 31, 50] = 27.0
    venue = {"F-lib": {"geometry": at(505, 305), "name": "图书馆", "venue_class": "culture"}}
    sites = propose_sites(context(replace(flat, clutter_m=clutter), facilities=venue, buildings={}))
    assert sites.loc["V-facility:F-lib", ["mount", "antenna_height_m"]].tolist() == ["roof_pole", 31.0]


def test_department_is_given_or_follows_from_the_class(flat: Surface) -> None:
    sites = propose_sites(context(flat))
    assert sites.loc["V-facility:F-school", "department"] == "教育和体育局"
    assert sites.loc["V-facility:F-park", "department"] == load_venues().department_name("park")
    assert sites.loc["V-facility:F-gov", "owner"] == "镇人民政府"


def test_a_mast_without_5g_is_offered_for_reuse_and_one_with_5g_is_not(flat: Surface) -> None:
    sites = propose_sites(context(flat))
    assert sites.loc["R-station:S2", ["build", "tier", "antenna_height_m"]].tolist() == ["reuse", 2, 35.0]
    assert "R-station:S1" not in sites.index
    assert (sites.loc[["E-station:S1", "E-station:S2"], "status"] == "existing").all()


def test_the_building_of_a_venue_is_not_offered_twice_and_low_roofs_not_at_all(flat: Surface) -> None:
    index = propose_sites(context(flat)).index
    assert "B-building:B-hall" not in index
    assert "B-building:B-hut" not in index


def test_refusals_say_why(flat: Surface) -> None:
    sites = propose_sites(context(
        flat, restricted={"R1": {"geometry": rect(850, 50, 950, 150), "name": "水源保护区"}},
        boundary={"city": {"geometry": rect(0, 0, 1000, 750), "name": "小镇"}}))
    assert sites.loc["V-facility:F-school", ["status", "reason"]].tolist() == ["refused", "位于饮用水水源保护区“水源保护区”内"]
    assert sites.loc["V-facility:F-park", ["status", "reason"]].tolist() == ["refused", "在规划范围之外"]


def test_a_petrol_station_is_no_site(flat: Surface) -> None:
    stop = {"F-oil": {"geometry": at(500, 300), "name": "城东加油站", "venue_class": "hazard"}}
    row = propose_sites(context(flat, facilities=stop)).loc["V-facility:F-oil"]
    assert (row["status"], row["reason"]) == ("refused", "易燃易爆场所,不设基站")


def test_macro_next_to_a_5g_mast_is_refused_but_a_pole_is_not(flat: Surface) -> None:
    near = {"F-near": {"geometry": at(60, 60), "name": "村委会", "venue_class": "village_committee"}}
    sites = propose_sites(context(flat, facilities=near, poles={"D9": {"geometry": at(60, 60), "height_m": 8.0}}))
    assert sites.loc["V-facility:F-near", "reason"] == "距现有5G宏站“东站”14.1米,须不小于300米"  # a rural scene
    assert sites.loc["P-pole:D9", "status"] == "candidate"


def test_no_gap_around_no_candidate(flat: Surface) -> None:
    sites = propose_sites(context(flat, gap=np.zeros(flat.geobox.shape, bool)))
    assert set(sites["status"]) == {"existing", "refused"}


def test_crowded_poles_name_the_one_that_stands_for_them(flat: Surface) -> None:
    sites = propose_sites(context(flat, params=CandidateParams(pole_spacing_m=100.0)))
    poles = sites[sites["source"] == "pole"]
    assert poles.index[poles["status"] == "candidate"].tolist() == ["P-pole:D0", "P-pole:D4"]
    assert "由 P-pole:D0 代表" in poles.loc["P-pole:D1", "reason"]


def test_a_leased_pole_yields_to_a_free_one(flat: Surface) -> None:
    leased = {key: {**row, "lessee": "某科技公司" if key == "D0" else None} for key, row in POLES.items()}
    sites = propose_sites(context(flat, poles=leased))
    assert sites.loc["P-pole:D0", "status"] == "refused"
    assert sites.loc["P-pole:D1", "status"] == "candidate"


def test_ids_and_rows_do_not_depend_on_the_order_of_the_input(flat: Surface) -> None:
    here = context(flat)
    turned = replace(here, tables={name: layer.iloc[::-1] for name, layer in here.tables.items()})
    assert propose_sites(here).to_wkb().equals(propose_sites(turned).to_wkb())


def test_sites_know_their_town_unit_and_parcel(flat: Surface) -> None:
    sites = propose_sites(context(
        flat, towns={"T1": {"geometry": rect(0, 0, 500, 1000), "name": "城关镇"}},
        units={"KG-01": {"geometry": rect(0, 0, 1000, 1000), "name": "一单元"}},
        parcels={"DK-7": {"geometry": rect(90, 90, 150, 150), "land_use_code": "0801"}}))
    row = sites.loc["V-facility:F-gov"]
    assert row[["town", "unit_code", "parcel_code", "land_use_code"]].tolist() == ["城关镇", "KG-01", "DK-7", "0801"]
    assert row["lon"] == pytest.approx(113.39, abs=0.01)
    assert row["ground_m"] == 20.0
    assert sites.loc["V-facility:F-school", ["town", "parcel_code"]].tolist() == ["", ""]


REQUEST = {"geometry": at(500, 300), "operators": "移动", "kind": "macro", "antenna_height_m": 40.0, "date": None,
           "source_file": "需求.csv", "source_row": "7"}


def test_a_request_in_a_river_is_told_in_the_ledger(flat: Surface) -> None:
    here = context(flat, params=CandidateParams(kinds=["demand", "facility"]), demands={"Q1": REQUEST},
                   water={"W": {"geometry": rect(450, 250, 550, 350), "name": "小河"}})
    assert propose_sites(here).loc["D-demand:Q1", "refusal_code"] == "water"
    lines = [(line.file, line.row, line.reason) for line in here.ledger
             if (line.layer, line.field) == ("demands", "geometry")]
    assert lines == [("需求.csv", "7", "位于水域“小河”内,按不可用候选处理")]
    about = [(line.layer, line.field, line.reason) for line in here.ledger]
    assert len(about) == len(set(about))  # nothing that holds for the whole study is told twice


def test_a_ban_of_a_venue_is_none_of_a_request_with_its_number(flat: Surface) -> None:
    here = context(flat, params=CandidateParams(kinds=["demand", "facility"]), facilities={"12": FACILITIES["F-park"]},
                   demands={"12": REQUEST, "13": {**REQUEST, "geometry": at(500, 550)}})
    both = Decisions((Decision("12", "ban"), Decision("13", "ban")))
    sites = propose_sites(replace(here, decisions=both))
    assert sites.index[sites["refusal_code"] == "banned"].tolist() == ["D-demand:13", "V-facility:12"]
    assert sites_meant(both, sites) == {"12": ("V-facility:12",), "13": ("D-demand:13",)}


def test_a_school_without_a_gap_nearby_takes_the_request_instead_of_a_new_tower(flat: Surface) -> None:
    here = context(flat, gap=np.zeros(flat.geobox.shape, bool), params=CandidateParams(kinds=["demand", "facility"]),
                   demands={"Q1": {**REQUEST, "geometry": at(880, 100)}})
    sites = propose_sites(here)
    assert sites.loc["V-facility:F-school", ["status", "demand_ids", "operators"]].tolist() == ["candidate", "Q1", "移动"]
    assert "需求挂高40米,本处18米" in sites.loc["V-facility:F-school", "evidence"]
    assert not (sites["source"] == "demand").any()
    assert (sites.loc[["V-facility:F-gov", "V-facility:F-park"], "status"] == "refused").all()


def test_a_study_of_land_alone_keeps_the_venues_that_have_only_land(flat: Surface) -> None:
    large = {**FACILITIES["F-school"], "geometry": at(500, 300), "area_m2": 20000.0, "storeys": 2.0}
    here = context(flat, params=CandidateParams(kinds=["ground"]),
                   facilities={"F-school": large, "F-park": FACILITIES["F-park"], "F-gov": FACILITIES["F-gov"]})
    sites = propose_sites(here)
    assert sites.index[sites["status"] != "existing"].tolist() == ["G-ground:F-school", "V-facility:F-park"]
    tower = sites.loc["G-ground:F-school"]
    assert tower["members"] == ""
    assert "二选一" not in tower["evidence"]
    both = propose_sites(replace(here, params=CandidateParams(kinds=["ground", "facility"])))
    assert both.loc["G-ground:F-school", "members"] == "V-facility:F-school"


def test_a_city_without_anything_to_stand_on(flat: Surface) -> None:
    sites = propose_sites(context(flat, buildings={}, facilities={}, poles={}, stations={}))
    assert len(sites) == 0
    assert str(sites.crs) == CRS


@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), spacing=st.floats(0, 60))
def test_thinning_keeps_the_spacing_and_every_point_has_a_near_representative(seed: int, count: int,
                                                                              spacing: float) -> None:
    xy = np.random.default_rng(seed).uniform(0, 200, (count, 2))
    order = np.random.default_rng(seed + 1).permutation(count)
    stands_for = keep_spaced(xy, order, spacing)
    kept = np.flatnonzero(stands_for < 0)
    gaps = np.hypot(*(xy[kept][:, None] - xy[kept][None]).transpose(2, 0, 1)) if len(kept) else np.zeros((0, 0))
    assert (gaps[~np.eye(len(kept), dtype=bool)] >= spacing * (1 - 1e-6)).all()
    for point in np.flatnonzero(stands_for >= 0):
        assert stands_for[stands_for[point]] < 0
        assert np.hypot(*(xy[point] - xy[stands_for[point]])) <= spacing
